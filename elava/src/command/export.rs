//! `elava export`: a copy of the history, for offline and shared reading.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use elava_bus::{Client, RequestError};
use elava_detector::export::{EXPORT_SUBJECT, Export, ExportFormat, ExportRequest};
use elava_detector::{History, Shard, shards_of};
use serde_json::json;
use tokio::task::block_in_place;

use super::{CommandError, row};
use crate::args::From;
use crate::ask::{AskError, request};
use crate::show::{self, Row};

/// How long to wait for a history that changes hands.
const TAKE_OVER: Duration = Duration::from_secs(15);
/// What a table of it shows.
const COLUMNS: [&str; 4] = ["table", "rows", "bytes", "path"];

/// The flags.
#[derive(Args, Clone, Debug)]
#[command(after_help = "The running detector writes below its own export folder (its --export-dir), and goes on \
detecting meanwhile.
With --db, this command writes, anywhere.

Examples:
  elava export --to lake                                  # Parquet; run it again, and it appends what is new
  elava export --to monday.duckdb
  elava export --db history.duckdb --to /data/history")]
pub struct ExportArgs {
    #[command(flatten)]
    from: From,
    /// A .duckdb file that does not exist, or a folder for Parquet: a name below the detector's export folder; any
    /// path with --db
    #[arg(long, value_name = "FILE_OR_DIR")]
    to: PathBuf,
    /// Of what it is made [default: what the name says]
    #[arg(long, value_enum)]
    format: Option<ExportFormat>,
}

impl ExportArgs {
    /// Exports, and shows what was written.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        let begun = Instant::now();
        let rows = match &self.from.place.db {
            Some(db) => block_in_place(|| self.copy(db))?,
            None => self.ask().await?,
        };
        show::rows(&rows, &COLUMNS, self.from.format(), "nothing")?;
        let to = rows.last().and_then(|total| total["path"].as_str()).unwrap_or_default();
        eprintln!("elava: exported to {to} in {:.1} s", begun.elapsed().as_secs_f64());
        Ok(())
    }

    /// Has the running detectors export, each its share.
    async fn ask(&self) -> Result<Vec<Row>, CommandError> {
        let body = ExportRequest { to: self.to.clone(), format: self.format };
        let client = Client::connect(&self.from.place.nats.options()).await?;
        let shards = client.groups("detector").await?.values().map(|group| group.groups).max().unwrap_or(1);
        if shards == 1 {
            return self.ask_one(EXPORT_SUBJECT, &body).await;
        }
        let mut rows = Vec::new();
        for shard in 0..shards {
            rows.extend(self.ask_one(&format!("{EXPORT_SUBJECT}.{shard}"), &body).await?);
        }
        Ok(summed(rows))
    }

    /// Asks one detector, and again while what it has is between two.
    async fn ask_one(&self, subject: &str, body: &ExportRequest) -> Result<Vec<Row>, CommandError> {
        let begun = Instant::now();
        loop {
            match request(&self.from, subject, body).await {
                Err(AskError::Request(RequestError::Nobody(_))) if begun.elapsed() < TAKE_OVER => {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                answer => return Ok(answer?),
            }
        }
    }

    /// Exports files that nobody holds.
    fn copy(&self, db: &Path) -> Result<Vec<Row>, CommandError> {
        let format = self.format.unwrap_or_else(|| ExportFormat::of(&self.to));
        let shards = shards_of(db).unwrap_or(1);
        let mut rows = Vec::new();
        for shard in Shard::all(shards) {
            let file = shard.file(db);
            let history = History::open_to_export(&file).map_err(|error| AskError::file(&file, error))?;
            for table in (Export { to: self.to.clone(), format, shard }).run(&history)? {
                rows.push(serde_json::from_value(serde_json::to_value(table)?)?);
            }
        }
        Ok(if shards == 1 { rows } else { summed(rows) })
    }
}

/// With one total, of what the shards wrote beside each other.
fn summed(rows: Vec<Row>) -> Vec<Row> {
    let (totals, mut rows): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row["table"] == "total");
    let sum = |name: &str| totals.iter().filter_map(|total| total[name].as_u64()).sum::<u64>();
    let first = totals.first().and_then(|total| total["path"].as_str()).unwrap_or_default();
    let folder = Path::new(first).parent().unwrap_or(Path::new(first)).display().to_string();
    rows.push(row(json!({ "table": "total", "rows": sum("rows"), "bytes": sum("bytes"), "path": folder })));
    rows
}

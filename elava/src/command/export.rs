//! `elava export`: a copy of the history, for offline and shared reading.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use elava_detector::{History, Shard};
use elava_detector::export::{EXPORT_SUBJECT, Export, ExportFormat, ExportRequest};
use tokio::task::block_in_place;

use super::CommandError;
use crate::args::From;
use crate::ask::{AskError, request};
use crate::show::{self, Row};

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
        let rows = match &self.from.db {
            Some(db) => block_in_place(|| self.copy(db))?,
            None => {
                let body = ExportRequest { to: self.to.clone(), format: self.format };
                request(&self.from, EXPORT_SUBJECT, &body).await?
            }
        };
        show::rows(&rows, &COLUMNS, self.from.format(), "nothing")?;
        let to = rows.last().and_then(|total| total["path"].as_str()).unwrap_or_default();
        eprintln!("elava: exported to {to} in {:.1} s", begun.elapsed().as_secs_f64());
        Ok(())
    }

    /// Exports a file that nobody holds.
    fn copy(&self, db: &Path) -> Result<Vec<Row>, CommandError> {
        let history = History::open_to_export(db).map_err(|error| AskError::file(db, error))?;
        let format = self.format.unwrap_or_else(|| ExportFormat::of(&self.to));
        let written = Export { to: self.to.clone(), format, shard: Shard::WHOLE }.run(&history)?;
        let rows = written.iter().map(|table| serde_json::from_value(serde_json::to_value(table)?));
        Ok(rows.collect::<serde_json::Result<_>>()?)
    }
}

//! `elava status`: how far the stages are, and how fresh each scope is.

use std::collections::BTreeMap;

use clap::Args;
use elava_bus::{Client, Progress};
use elava_detector::{Query, ScopeFilter};
use serde_json::{Value, json};

use super::{CommandError, coverage};
use crate::args::From;
use crate::show::{self, Row};

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct StatusArgs {
    #[command(flatten)]
    from: From,
}

impl StatusArgs {
    /// Asks and shows.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn run(self) -> Result<(), CommandError> {
        let from = &self.from;
        if from.db.is_none() {
            let progress = Client::connect(&from.nats.options()).await?.progress().await?;
            let columns = ["stage", "reads", "state", "partitions", "pending", "in_progress"];
            show::rows(&stages(&progress), &columns, from.format(), "no stage has run yet")?;
        }
        let query = Query::Coverage { scope: ScopeFilter::default(), unseen_since: None };
        from.print(&query, &coverage::COLUMNS, "nothing was scanned yet").await
    }
}

/// One row per stage and stream: whether anybody reads, and what is still to be done.
fn stages(progress: &[Progress]) -> Vec<Row> {
    let mut rows: BTreeMap<(&str, &str), (u64, u64, u64, u64)> = BTreeMap::new();
    for one in progress {
        let row = rows.entry((&one.stage, &one.stream)).or_default();
        row.0 += 1;
        row.1 += u64::from(one.reading);
        row.2 += one.pending;
        row.3 += one.in_progress;
    }
    let row = |((stage, stream), (partitions, reading, pending, in_progress))| {
        let state = if reading == 0 { "stopped" } else { "reading" };
        match json!({
            "stage": stage, "reads": stream, "state": state, "partitions": partitions,
            "pending": pending, "in_progress": in_progress,
        }) {
            Value::Object(row) => row,
            _ => Row::new(),
        }
    };
    rows.into_iter().map(row).collect()
}

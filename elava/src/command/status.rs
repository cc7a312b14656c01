//! `elava status`: how far the stages are, who is at work, what fills up, and how fresh each scope is.

use std::collections::BTreeMap;

use clap::Args;
use elava_bus::{Client, LivingInstance, Progress, Usage};
use elava_detector::{Query, ScopeFilter};
use serde_json::json;

use super::{CommandError, coverage, row};
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
            let client = Client::connect(&from.nats.options()).await?;
            let columns = ["stage", "reads", "state", "partitions", "pending", "in_progress"];
            show::rows(&stages(&client.progress().await?), &columns, from.format(), "no stage has run yet")?;
            let columns = ["stage", "instance", "partitions", "state", "since"];
            show::rows(&instances(&client.instances().await?), &columns, from.format(), "nobody is at work")?;
            let columns = ["stream", "messages", "bytes", "limit_bytes", "used_percent"];
            show::rows(&streams(&client.usage().await?), &columns, from.format(), "there are no streams yet")?;
        }
        from.print(&Query::Storage {}, &["part", "rows", "bytes", "bytes_per_row"], "").await?;
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
        row(json!({
            "stage": stage, "reads": stream, "state": state, "partitions": partitions,
            "pending": pending, "in_progress": in_progress,
        }))
    };
    rows.into_iter().map(row).collect()
}

/// One row per living instance: what it has of its stage.
fn instances(instances: &[LivingInstance]) -> Vec<Row> {
    let instance = |LivingInstance { stage, instance, since, partitions }: &LivingInstance| {
        let state = if *partitions == 0 { "standing by" } else { "at work" };
        row(json!({
            "stage": stage, "instance": instance, "partitions": partitions, "state": state, "since": since,
        }))
    };
    instances.iter().map(instance).collect()
}

/// One row per stream: how full it is.
fn streams(usage: &[Usage]) -> Vec<Row> {
    let stream = |Usage { stream, messages, bytes, limit_bytes }: &Usage| {
        let used = limit_bytes.map(|limit| (*bytes as f64 / limit as f64 * 1000.0).round() / 10.0);
        row(json!({
            "stream": stream, "messages": messages, "bytes": bytes, "limit_bytes": limit_bytes, "used_percent": used,
        }))
    };
    usage.iter().map(stream).collect()
}

//! `elava status`: how far the stages are, who is at work, what fills up, and how fresh each scope is.

use std::collections::BTreeMap;

use clap::Args;
use elava_bus::{Client, LivingInstance, MAX_LINE_BYTES, Progress, Usage};
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
        if from.place.db.is_none() {
            let client = Client::connect(&from.place.nats.options()).await?;
            let columns = ["stage", "reads", "state", "partitions", "pending", "in_progress"];
            show::rows(&stages(&client.progress().await?), &columns, from.format(), "no stage has run yet")?;
            let columns = ["stage", "instance", "partitions", "state", "since"];
            show::rows(&instances(&client.instances().await?), &columns, from.format(), "nobody is at work")?;
            let columns =
                ["stream", "state", "messages", "missing", "bytes", "limit_bytes", "used_percent", "replicas"];
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
        row.0 += u64::from(one.partitions);
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

/// One row per stream: how full it is, and whether it is whole.
fn streams(usage: &[Usage]) -> Vec<Row> {
    let stream = |usage: &Usage| {
        let Usage { stream, messages, bytes, limit_bytes, replicas, missing } = usage;
        let used = limit_bytes.map(|limit| (*bytes as f64 / limit as f64 * 1000.0).round() / 10.0);
        row(json!({
            "stream": stream, "state": state(usage), "messages": messages, "missing": missing, "bytes": bytes,
            "limit_bytes": limit_bytes, "used_percent": used, "replicas": replicas,
        }))
    };
    usage.iter().map(stream).collect()
}

/// What an operator has to know of a stream first.
fn state(usage: &Usage) -> &'static str {
    let Usage { bytes, limit_bytes, missing, .. } = *usage;
    match limit_bytes {
        // the largest message does not fit any more: whoever writes waits
        Some(limit) if bytes + MAX_LINE_BYTES as u64 > limit => "full",
        _ if missing.is_some_and(|missing| missing > 0) => "has gaps",
        Some(limit) if bytes > limit / 10 * 9 => "nearly full",
        _ => "ok",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_have_states() {
        const GIB: u64 = 1 << 30;
        for (bytes, limit_bytes, missing, expected) in [
            (0, None, None, "ok"),
            (GIB, None, None, "ok"),
            (GIB / 2, Some(GIB), Some(0), "ok"),
            (GIB / 100 * 95, Some(GIB), Some(0), "nearly full"),
            (GIB - 4096, Some(GIB), Some(0), "full"),
            (GIB / 2, Some(GIB), Some(3), "has gaps"),
            (GIB / 100 * 95, Some(GIB), Some(3), "has gaps"),
            (GIB - 4096, Some(GIB), Some(3), "full"),
        ] {
            let usage = Usage { stream: "S".to_owned(), messages: 1, bytes, limit_bytes, replicas: 1, missing };
            assert_eq!(state(&usage), expected, "{usage:?}");
        }
    }
}

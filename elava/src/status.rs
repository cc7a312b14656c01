//! `elava status`: how far the stages are.

use std::collections::BTreeMap;

use elava_bus::Progress;
use serde_json::{Value, json};

use crate::show::Row;

/// One row per stage and stream: whether anybody reads, and what is still to be done.
#[must_use]
pub fn stages(progress: &[Progress]) -> Vec<Row> {
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

//! Effects taken back.

use elava_bus::{Batch, Page, Source};
use elava_schemas::Timestamp;
use elava_schemas::config::ChangeDetection;
use serde_json::{Value, json};

use super::*;
use crate::put_off::PutOff;
use crate::store::{History, Records};

fn at(minute: i64) -> Timestamp {
    Timestamp::from_timestamp_micros(minute * 60_000_000).expect("a time")
}

fn seen(scan: &str, id: &str, status: &str) -> Value {
    let key = format!("aws/1/r/ec2:vpc/{id}");
    json!({"kind": "observation", "scan_id": scan, "resource": {"key": key, "status": status}})
}

fn report(scan: &str, minute: i64, observed: u64) -> Value {
    json!({"kind": "scan_report", "scan_id": scan, "outcome": "complete", "observed": observed,
        "scope": {"provider": "aws", "account": "1", "region": "r", "type": "ec2:vpc"},
        "started_at": at(minute), "finished_at": at(minute)})
}

fn batch(minute: i64, rows: &[Value]) -> Batch {
    let body = rows.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let page = Page { sequence: 1, subject: "-".into(), first_line: 1, received_at: at(minute), body: body.into() };
    Batch { source: Source::Pipe, pages: vec![page] }
}

fn effects(memory: &mut Memory, history: &History, batch: &Batch) -> Effects {
    let settings = Settings {
        tracking: Tracking::new(&ChangeDetection::default()),
        prices: Prices::load(None).expect("the built-in table"),
    };
    let mut lines = crate::decode::decode(batch, |_| elava_bus::Consumes::Takes, &mut Vec::new());
    let mut effects = Effects::default();
    run(memory, history, &settings, (None, 0), &mut lines, &mut effects).expect("effects");
    effects
}

/// What could not be stored leaves the memory as it was: given again, it has the same effects.
#[test]
fn undone_effects_can_be_had_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = History::open(&folder.path().join("h.duckdb")).expect("a history");
    let mut memory = Memory::default();
    let first = batch(1, &[seen("s1", "a", "x"), seen("s1", "b", "x"), report("s1", 1, 2)]);
    let mut stored = effects(&mut memory, &history, &first);
    history.apply(&mut stored, &Records::default(), None, &PutOff::default()).expect("stored");

    let second = [seen("s2", "a", "y"), report("s2", 5, 1), seen("s3", "c", "x"), seen("s3", "b", "x")];
    let second = batch(5, &second);
    let told = |effects: &Effects| -> Vec<String> {
        effects.changes.iter().map(|detected| detected.change.details.clone()).collect()
    };
    let expected = [r#"a: status changed from "x" to "y""#, "vpc b disappeared", "vpc c appeared", "vpc b appeared"];
    let undone = effects(&mut memory, &history, &second);
    assert_eq!(told(&undone), expected);
    undone.undo(&mut memory);
    assert_eq!(memory.index.len(), 2);
    let mut again = effects(&mut memory, &history, &second);
    assert_eq!(told(&again), expected);
    history.apply(&mut again, &Records::default(), None, &PutOff::default()).expect("stored");
    assert!(effects(&mut memory, &history, &second).changes.is_empty(), "it is in the history now");
}

//! Old versions go by the configured policy, and nothing else does.

mod any_history;
mod by_resource;
mod example;
mod running;

use elava_bus::{Batch, Output, Page, Source, Stream};
use elava_detector::{Mode, Thinned, thin_file};
use elava_schemas::Timestamp;
use elava_schemas::config::RetentionRule;
use serde_json::{Value, json};

use crate::harness::{Bench, SOURCE, page, time};

fn rule(kind: &str, thin_after: &str) -> RetentionRule {
    RetentionRule { types: vec![kind.to_owned()], thin_after: Some(thin_after.parse().expect("a duration")) }
}

/// Hours into the test, which begins at midnight.
fn hour(hour: i64) -> Timestamp {
    time(hour * 60)
}

/// The clock that thinning is given: the history ends long before.
fn clock() -> Timestamp {
    "2050-01-01T00:00:00Z".parse().expect("a time")
}

/// Thins the file; the detector is stopped meanwhile.
fn thin(bench: &mut Bench, policy: &[RetentionRule], mode: Mode) -> Vec<Thinned> {
    bench.stop();
    let thinned = thin_file(&bench.path, policy, clock(), mode).expect("the history is thinned");
    bench.restart();
    thinned
}

/// One page of observations that the stream stored at that time.
fn at(bench: &mut Bench, received_at: Timestamp, rows: &[Value]) -> Output {
    let pages = vec![Page { received_at, ..bench.page(rows) }];
    bench.handle(&Batch { source: SOURCE, pages })
}

/// What a later stage says.
fn record(bench: &mut Bench, stream: Stream, row: &Value) {
    bench.sequence += 1;
    let pages = vec![page(bench.sequence, std::slice::from_ref(row))];
    let output = bench.handle(&Batch { source: Source::Partition { stream, partition: 0 }, pages });
    assert_eq!(output.rejected, []);
}

/// A scan that saw so many ends.
fn ended(scan: &str, at: Timestamp, observed: usize) -> Value {
    json!({
        "kind": "scan_report", "v": 1, "scan_id": scan, "outcome": "complete", "observed": observed,
        "scope": {"provider": "aws", "account": "1", "region": "r", "type": "ec2:instance"},
        "started_at": at, "finished_at": at,
    })
}

/// A policy result with a violation, or without.
fn judged(resource: &str, id: &str, at: Timestamp, violated: bool) -> Value {
    let violation = json!({"policy": "day2.tags", "rule": "a", "severity": "info", "message": "m"});
    json!({
        "kind": "policy_result", "id": id, "resource_key": format!("aws/1/r/ec2:instance/{resource}"), "version": "v",
        "subject": "present", "compliant": !violated, "bundle": "b", "evaluated_at": at,
        "violations": if violated { vec![violation] } else { Vec::new() },
    })
}

fn decided(resource: &str, id: &str, at: Timestamp, action: &str, cause: &str) -> Value {
    json!({
        "kind": "decision", "id": id, "action": action, "resource_key": format!("aws/1/r/ec2:instance/{resource}"),
        "severity": "warning", "reason": "because", "finding": id, "state": "new", "caused_by": [cause],
        "decided_at": at, "metadata": {},
    })
}

fn executed(resource: &str, decision: &str, at: Timestamp) -> Value {
    json!({
        "kind": "execution", "id": format!("e{decision}"), "decision_id": decision,
        "resource_key": format!("aws/1/r/ec2:instance/{resource}"), "outcome": "executed", "at": at,
    })
}

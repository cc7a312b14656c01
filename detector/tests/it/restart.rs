//! Crashes, replays and the outbox.

use elava_bus::{Batch, Emit, Page, Source, Stage, Stream};
use expect_test::expect;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{Bench, SOURCE, changes, page, report, rows, seen, told};

#[test]
fn a_restart_in_mid_scan_still_finds_what_disappeared() {
    let mut bench = Bench::new();
    let first =
        [seen(Some("s1"), "i-1", json!({})), seen(Some("s1"), "i-2", json!({})), seen(Some("s1"), "i-3", json!({}))];
    bench.send(&first);
    bench.send(&[report("s1", 0, "complete", 3)]);
    let third = page(3, &[seen(Some("s2"), "i-1", json!({"status": "x"}))]);
    bench.sequence = 2;
    expect![[r#"
        modified: i-1: status added: "x"
    "#]]
    .assert_eq(&told(&bench.handle(&Batch { source: SOURCE, pages: vec![third.clone()] })));
    bench.restart();
    let resume = bench.block(bench.stage().resume(&SOURCE, Some(3), Vec::new())).expect("a position");
    assert_eq!((resume.from, resume.pending.len()), (3, 0));
    // the page is given again, and says nothing again
    let fourth = page(4, &[seen(Some("s2"), "i-2", json!({})), report("s2", 3, "complete", 2)]);
    expect![[r#"
        disappeared: instance i-3 disappeared
    "#]]
    .assert_eq(&told(&bench.handle(&Batch { source: SOURCE, pages: vec![third, fourth] })));
    let resume = bench.block(bench.stage().resume(&SOURCE, Some(4), Vec::new())).expect("a position");
    assert_eq!(resume.from, 5);
}

#[test]
fn what_was_not_stored_downstream_is_sent_again_just_as_it_was() {
    let mut bench = Bench::new();
    let relation = json!([{"relation": "vpc", "to": "aws/1/r/ec2:vpc/v%2F1"}]);
    let full = json!({
        "name": "web", "arn": "arn:x", "status": "running", "tags": {"a": "b", "x'\"y": "ü"},
        "created_at": "2026-01-01T00:00:00.123456Z", "relations": relation,
        "attributes": {"InstanceType": "t3.micro", "State": {"Name": "running"}, "n": [1, 2.5, null, "\u{1f600}"]},
    });
    let mut sent: Vec<Emit> = Vec::new();
    let mut more = full.clone();
    more["attributes"]["InstanceType"] = json!("t3.large");
    more["tags"] = json!(null);
    for rows in [
        vec![seen(Some("s1"), "i-1", full), seen(Some("s1"), "i-2", json!({})), report("s1", 0, "complete", 2)],
        vec![seen(None, "i-1", more)],
        vec![seen(Some("s2"), "i-2", json!({})), report("s2", 3, "complete", 1)],
        vec![seen(None, "i-1", json!({}))],
    ] {
        sent.extend(bench.send(&rows).messages);
    }
    assert_eq!(sent.len(), 6);
    bench.restart();
    for (checkpoint, expected) in [(None, &sent[..]), (Some(1), &sent[2..]), (Some(4), &[])] {
        let resume = bench.block(bench.stage().resume(&SOURCE, checkpoint, Vec::new())).expect("a position");
        assert_eq!(changes(&resume.pending), changes(expected), "{checkpoint:?}");
        let sequences = |emits: &[Emit]| emits.iter().map(|emit| emit.sequence).collect::<Vec<_>>();
        assert_eq!(sequences(&resume.pending), sequences(expected));
    }
    // what is stored leaves the outbox with the next batch
    bench.block(bench.stage().stored(&SOURCE, 4)).expect("noted");
    bench.send(&[seen(None, "i-1", json!({}))]);
    assert_eq!(bench.sql("SELECT count(*) FROM outbox"), "0\n");
}

#[test]
fn what_later_stages_said_leaves_the_outbox_alone() {
    let mut bench = Bench::new();
    let sent = bench.send(&[seen(None, "i-1", json!({}))]).messages;
    // the same partition of another stream, far ahead
    let source = Source::Partition { stream: Stream::Policy, partition: 3 };
    bench.block(bench.stage().stored(&source, 100)).expect("noted");
    let result = json!({
        "kind": "policy_result", "id": "r", "resource_key": "aws/1/r/ec2:instance/i-1", "version": "v",
        "subject": "present", "compliant": false, "bundle": "b", "evaluated_at": "2026-01-01T00:00:00Z",
        "violations": [{"policy": "p", "rule": "r", "severity": "info", "message": "m"}],
    });
    bench.handle(&Batch { source, pages: vec![page(101, &[result])] });
    bench.restart();
    let resume = bench.block(bench.stage().resume(&SOURCE, None, Vec::new())).expect("a position");
    assert_eq!(changes(&resume.pending), changes(&sent));
}

#[test]
fn a_late_row_of_an_ended_scan_opens_no_scan_after_a_restart() {
    let mut bench = Bench::new();
    for (minute, scan) in [(0, "s1"), (2, "s2"), (4, "s3")] {
        let rows = [seen(Some(scan), "i-1", json!({})), seen(Some(scan), "i-2", json!({}))];
        bench.send(&rows);
        bench.send(&[report(scan, minute, "complete", 2)]);
    }
    bench.restart();
    bench.send(&[seen(Some("s4"), "i-1", json!({}))]);
    bench.send(&[seen(Some("s1"), "i-1", json!({}))]);
    expect![[r#"
        disappeared: instance i-2 disappeared
    "#]]
    .assert_eq(&bench.say(&[report("s4", 8, "complete", 1)]));
    assert_eq!(bench.sql("SELECT DISTINCT outcome FROM scans"), "complete\n");
}

#[test]
fn what_was_refused_is_known_until_its_dead_letter_is_stored() {
    let mut bench = Bench::new();
    let refused =
        bench.send(&[json!({"kind": "observation"}), seen(None, "i-1", json!({})), json!("not JSON")]).rejected;
    assert_eq!(refused.iter().map(|rejection| rejection.line).collect::<Vec<_>>(), [1, 3]);
    bench.restart();
    let resumed =
        |bench: &Bench| bench.block(bench.stage().resume(&SOURCE, None, Vec::new())).expect("a position").rejected;
    assert_eq!(resumed(&bench), refused);
    bench.block(bench.stage().stored(&SOURCE, 1)).expect("noted");
    bench.send(&[seen(None, "i-2", json!({}))]);
    assert_eq!(resumed(&bench), []);
}

/// Scans of a few resources that come, change and go, and in the end do not.
fn story() -> Vec<Page> {
    let mut pages = Vec::new();
    let mut push = |rows: &[Value]| pages.push(page(pages.len() as u64 + 1, rows));
    for scan in 0..9_i64 {
        let (name, minute) = (format!("s{scan}"), scan * 5);
        let is_quiet = scan > 5;
        let scan = scan.min(5);
        let mut sent = 0;
        for id in 0..5_i64 {
            if (id + scan) % 4 != 0 {
                let fields = json!({"status": format!("{}", (scan * id) % 3), "tags": {"a": format!("{}", scan / 2)}});
                push(&[seen(Some(&name), &format!("i-{id}"), fields)]);
                sent += 1;
            }
        }
        let report = report(&name, minute, "complete", sent);
        if is_quiet {
            push(&[report]);
        } else {
            push(&[seen(None, "i-hand", json!({"status": name})), report]);
        }
    }
    pages
}

const TABLES: &str = "
    SELECT key, version, valid_from, valid_to, first_seen, last_seen, scan_id, ended_by FROM versions ORDER BY ALL";
const CHANGES: &str = "SELECT * EXCLUDE (resource_id) FROM change_log ORDER BY ALL";
const SCANS: &str = "SELECT * FROM scans ORDER BY ALL";

fn contents(bench: &mut Bench) -> String {
    let mut all = bench.sql(TABLES);
    all += &bench.sql(CHANGES);
    all += &bench.sql(SCANS);
    all
}

#[test]
fn opening_again_changes_nothing() {
    let mut bench = Bench::new();
    bench.handle(&Batch { source: SOURCE, pages: story() });
    let before = contents(&mut bench);
    bench.restart();
    assert_eq!(contents(&mut bench), before);
    assert!(!rows_of(&mut bench).is_empty());
}

fn rows_of(bench: &mut Bench) -> String {
    bench.sql("SELECT key FROM resources")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    /// Batches cut anywhere, crashes between them, pages given again: the same history.
    #[test]
    fn replays_make_the_same_history(cuts in prop::collection::vec((1_usize..7, any::<bool>()), 4..12)) {
        let pages = story();
        let mut whole = Bench::new();
        let expected_messages = whole.handle(&Batch { source: SOURCE, pages: pages.clone() }).messages;
        let mut cut = Bench::new();
        let mut messages = Vec::new();
        let mut next = 0;
        for (size, crash) in cuts.into_iter().chain([(pages.len(), false)]) {
            let end = (next + size).min(pages.len());
            if end > next {
                let batch = Batch { source: SOURCE, pages: pages[next..end].to_vec() };
                // what was put off is lost by a crash, and given again
                let handled = cut.block(cut.stage().handle(&batch)).expect("the history takes it");
                messages.extend(handled.messages);
                if !crash {
                    cut.block(cut.stage().settle(&SOURCE)).expect("the history takes it");
                }
            }
            next = end;
            if crash {
                cut.restart();
                let resume = cut.block(cut.stage().resume(&SOURCE, Some(next as u64), Vec::new())).expect("a position");
                prop_assert!(resume.from <= next as u64 + 1);
                next = usize::try_from(resume.from).expect("small") - 1;
            }
        }
        prop_assert_eq!(changes(&messages), changes(&expected_messages));
        prop_assert_eq!(contents(&mut cut), contents(&mut whole));
    }
}

#[test]
fn a_newer_history_is_refused() {
    let mut bench = Bench::new();
    bench.sql("SELECT 1");
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("copy.duckdb");
    drop(elava_detector::History::open(&copy).expect("a new history"));
    let connection = duckdb::Connection::open(&copy).expect("nobody else has it open");
    connection.execute_batch("INSERT INTO migrations VALUES (999, 'later', now())").expect("a row");
    drop(connection);
    let error = elava_detector::History::open(&copy).map(drop).expect_err("it is newer");
    assert!(error.to_string().contains("migration 999"), "{error}");
    assert!(rows(&copy, "SELECT 1 AS one") == "1\n");
}

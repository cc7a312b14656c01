//! What counts as a change, and what proves an absence.

use elava_bus::{Batch, Source};
use elava_schemas::config::{ChangeDetection, Config, Track};
use expect_test::expect;
use serde_json::json;

use crate::harness::{Bench, changes, page, report, seen, told};

/// Two instances, seen whole once.
fn known() -> Bench {
    let mut bench = Bench::new();
    bench.send(&[
        seen(Some("s1"), "i-1", json!({"tags": {"Owner": "a"}, "status": "running"})),
        seen(Some("s1"), "i-2", json!({"name": "web"})),
        report("s1", 0, "complete", 2),
    ]);
    bench
}

#[test]
fn first_scan_is_baseline_and_a_repeated_one_says_nothing() {
    let mut bench = Bench::new();
    let rows = |scan: &str, minute| {
        [
            seen(Some(scan), "i-1", json!({"attributes": {"InstanceType": "t3.micro", "a": {"x": 1, "y": 2}}})),
            seen(Some(scan), "i-2", json!({"name": "web"})),
            report(scan, minute, "complete", 2),
        ]
    };
    expect![[r#"
        appeared baseline: instance i-1 appeared (t3.micro)
        appeared baseline: instance i-2 (web) appeared
    "#]]
    .assert_eq(&bench.say(&rows("s1", 0)));
    expect![""].assert_eq(&bench.say(&rows("s2", 1)));
    // after a restart only the content is known, not its bytes
    bench.restart();
    expect![""].assert_eq(&bench.say(&rows("s3", 2)));
    let reordered = seen(Some("s4"), "i-1", json!({"attributes": {"a": {"y": 2, "x": 1}, "InstanceType": "t3.micro"}}));
    expect![[r#"
        appeared: instance i-3 appeared
    "#]]
    .assert_eq(&bench.say(&[reordered, seen(Some("s4"), "i-3", json!({}))]));
    expect![[r#"
        3 | 0
    "#]]
    .assert_eq(&bench.sql("SELECT (SELECT count(*) FROM current), (SELECT count(*) FROM closed)"));
}

#[test]
fn several_changes_of_one_comparison() {
    let mut bench = known();
    let output = bench.send(&[seen(
        None,
        "i-1",
        json!({"tags": {"Owner": "b"}, "status": "stopped", "attributes": {"State": {"Name": "stopped"}}}),
    )]);
    expect![[r#"
        tag_drift: i-1: tag Owner changed from "a" to "b"
        modified: i-1: status changed from "running" to "stopped"; State added: {"Name":"stopped"}
    "#]]
    .assert_eq(&told(&output));
    let change = &changes(&output.messages)[1];
    assert_eq!(change.previous.as_ref().and_then(|r| r.status.as_deref()), Some("running"));
    assert_eq!(change.current.as_ref().and_then(|r| r.status.as_deref()), Some("stopped"));
    let history = change.history.as_ref().expect("not baseline");
    assert_eq!((history.changes_7d, history.changes_30d), (2, 2));
}

#[test]
fn costs() {
    let mut bench = known();
    let instance = |kind: &str| json!({"status": "running", "tags": {"Owner": "a"}, "attributes": {"InstanceType": kind, "State": {"Name": "running"}}});
    for (fields, expected) in [
        (
            instance("t3.micro"),
            expect![[r#"
            modified: i-1: InstanceType added: "t3.micro"; State added: {"Name":"running"}
        "#]],
        ),
        (
            instance("t3.large"),
            expect![[r#"
            modified: i-1: InstanceType changed from "t3.micro" to "t3.large"
            cost_increase: i-1: estimated cost rose from $7.59 to $60.74 a month
        "#]],
        ),
        (
            instance("t3.nano"),
            expect![[r#"
            modified: i-1: InstanceType changed from "t3.large" to "t3.nano"
        "#]],
        ),
    ] {
        expected.assert_eq(&bench.say(&[seen(None, "i-1", fields)]));
    }
}

#[test]
fn unknown_tags_are_not_no_tags() {
    let mut bench = known();
    let tags = |tags| seen(None, "i-1", json!({"tags": tags, "status": "running"}));
    for (row, expected) in [
        (tags(json!(null)), expect![""]),
        (tags(json!({"Owner": "a"})), expect![""]),
        (
            seen(None, "i-1", json!({"tags": null, "status": "stopped"})),
            expect![[r#"
            modified: i-1: status changed from "running" to "stopped"
        "#]],
        ),
        (
            seen(None, "i-1", json!({"tags": {}, "status": "stopped"})),
            expect![[r#"
            tag_drift: i-1: tag Owner removed, was "a"
        "#]],
        ),
        // unknown from the beginning, then known: no drift
        (
            seen(None, "i-9", json!({"tags": null})),
            expect![[r#"
            appeared: instance i-9 appeared
        "#]],
        ),
        (seen(None, "i-9", json!({"tags": {"a": "b"}})), expect![""]),
    ] {
        expected.assert_eq(&bench.say(&[row]));
    }
    expect![[r#"
        {Owner=a} | false | changed
        {Owner=a} | true | changed
        {} | false | -
    "#]]
    .assert_eq(&bench.sql("SELECT tags, tags_carried, coalesce(ended_by, '-') FROM history('i-1')"));
}

#[test]
fn absence_needs_proof() {
    let gone = "disappeared: instance i-2 (web) disappeared\n";
    let one = || seen(Some("s2"), "i-1", json!({"tags": {"Owner": "a"}, "status": "running"}));
    let filtered = {
        let mut report = report("s2", 5, "complete", 1);
        report["scope"]["filter"] = json!("tag:a=b");
        report
    };
    let mismatch = "rejected line 2: scan report says 2 were sent, 1 were received; absence is unknown\n";
    for (name, rows, expected, verdict) in [
        ("complete", vec![one(), report("s2", 5, "complete", 1)], gone.to_owned(), "proved"),
        ("partial", vec![one(), report("s2", 5, "partial", 1)], String::new(), "unknown"),
        ("failed", vec![report("s2", 5, "failed", 0)], String::new(), "unknown"),
        ("filtered", vec![one(), filtered], String::new(), "unknown"),
        ("row lost", vec![one(), report("s2", 5, "complete", 2)], mismatch.to_owned(), "unknown"),
        ("row twice", vec![one(), one(), report("s2", 5, "complete", 1)], gone.to_owned(), "proved"),
        (
            "report twice",
            vec![one(), report("s2", 5, "complete", 1), report("s2", 5, "complete", 1)],
            gone.to_owned(),
            "proved",
        ),
        (
            "seen since it began",
            vec![seen(None, "i-2", json!({"name": "web"})), one(), report("s2", 1, "complete", 1)],
            String::new(),
            "proved",
        ),
    ] {
        let mut bench = known();
        bench.sequence = 5;
        assert_eq!(bench.say(&rows), expected, "{name}");
        assert_eq!(bench.sql("SELECT verdict FROM scans WHERE scan_id = 's2'"), format!("{verdict}\n"), "{name}");
    }
    let mut bench = known();
    bench.sequence = 5;
    expect![[r#"
        disappeared: instance i-1 disappeared
        disappeared: instance i-2 (web) disappeared
    "#]]
    .assert_eq(&bench.say(&[report("s2", 5, "complete", 0)]));
}

#[test]
fn a_bad_row_makes_absence_unknown() {
    let mut bench = known();
    bench.sequence = 5;
    expect![[r#"
        rejected line 1: bad observation: resource.attributes: invalid type: string "no", expected a map at line 1 column 99
        rejected line 2: scan report says 1 were sent, 0 were received; absence is unknown
    "#]]
    .assert_eq(
        &bench.say(&[
            json!({"kind": "observation", "scan_id": "s2", "resource": {"key": "aws/1/r/ec2:instance/i-1", "attributes": "no"}}),
            report("s2", 5, "complete", 1),
        ]),
    );
}

#[test]
fn what_comes_back_is_linked_to_its_earlier_life() {
    let mut bench = known();
    bench.sequence = 5;
    bench.send(&[
        seen(Some("s2"), "i-1", json!({"tags": {"Owner": "a"}, "status": "running"})),
        report("s2", 5, "complete", 1),
    ]);
    bench.restart();
    let output = bench.send(&[seen(None, "i-2", json!({"name": "web"}))]);
    let change = &changes(&output.messages)[0];
    let life = change.earlier_life.as_ref().expect("it lived before");
    assert!(change.previous.is_none());
    assert_eq!(life.version, change.version, "it is as it was");
    assert_eq!(life.first_seen.to_rfc3339(), "2026-01-01T00:01:00+00:00");
    assert_eq!(life.disappeared_at.to_rfc3339(), "2026-01-01T00:05:50+00:00");
    expect![[r#"
        2026-01-01 00:01:00+00 | 2026-01-01 00:05:50+00 | disappeared | 2026-01-01 00:01:00+00
        2026-01-01 00:07:00+00 | - | - | 2026-01-01 00:07:00+00
    "#]]
    .assert_eq(&bench.sql(
        "SELECT valid_from, coalesce(valid_to::VARCHAR, '-'), coalesce(ended_by, '-'), first_seen FROM history('i-2')",
    ));
}

#[test]
fn everything_within_one_batch() {
    let mut bench = Bench::new();
    bench.sequence = 10;
    expect![[r#"
        appeared: instance i-1 appeared
        modified: i-1: status added: "running"
        modified: i-1: status changed from "running" to "stopped"
        disappeared baseline: instance i-1 disappeared
        appeared: instance i-1 appeared
    "#]]
    .assert_eq(&bench.say(&[
        seen_at("i-1", 1, json!({})),
        seen_at("i-1", 2, json!({"status": "running"})),
        seen_at("i-1", 3, json!({"status": "stopped"})),
        report("s1", 5, "complete", 0),
        seen_at("i-1", 7, json!({"status": "stopped"})),
    ]));
    expect![[r#"
        00:01 | 00:02 | changed
        00:02 | 00:03 | changed
        00:03 | 00:05 | disappeared
        00:07 | - | -
    "#]]
    .assert_eq(&bench.sql(
        "SELECT strftime(valid_from, '%H:%M'), coalesce(strftime(valid_to, '%H:%M'), '-'), coalesce(ended_by, '-') FROM history('i-1')",
    ));
}

fn seen_at(id: &str, minute: i64, fields: serde_json::Value) -> serde_json::Value {
    let line = seen(None, id, fields);
    let at = json!(crate::harness::time(minute));
    json!(line.as_str().expect("a line").replacen(r#""scan_id":null"#, &format!(r#""observed_at":{at}"#), 1))
}

#[test]
fn bad_rows_are_rejected_and_the_rest_goes_on() {
    let mut bench = known();
    bench.sequence = 10;
    let elsewhere = seen(
        None,
        "i-1",
        json!({"key": {"provider": "aws", "account": "2", "region": "r", "type": "ec2:instance", "id": "i-1"}}),
    );
    expect![[r#"
        appeared: instance i-8 appeared
        appeared: instance i-9 appeared
        rejected line 1: not a message: expected a JSON object
        rejected line 2: scan_request is not read by detector
        rejected line 3: bad observation: missing field `resource` at line 1 column 22
        rejected line 5: a row of aws/2/r/ec2:instance does not belong on subject elava.observation.3.aws.1.r.ec2:instance
        rejected line 6: observed_at 2026-01-01T01:00:00.000000Z is in the future: it was received at 2026-01-01T00:11:00.000000Z
        rejected line 7: out of order: observed at 2026-01-01T00:00:00.000000Z, but the current version is of 2026-01-01T00:01:00.000000Z
    "#]]
    .assert_eq(&bench.say(&[
        json!("not json"),
        json!({"kind": "scan_request"}),
        json!({"kind": "observation"}),
        seen(None, "i-8", json!({})),
        elsewhere,
        seen_at("i-1", 60, json!({})),
        seen_at("i-1", 0, json!({"status": "other"})),
        seen_at("i-1", 0, json!({"tags": {"Owner": "a"}, "status": "running"})),
        json!({"kind": "observation", "resource": {"provider": "aws", "account_id": "1", "region": "r", "type": "ec2:instance", "id": "i-9", "labels": {}}}),
    ]));
}

#[test]
fn only_what_is_tracked_is_told_but_everything_is_kept() {
    let detection = ChangeDetection { track: vec![Track::TagChanges], ..ChangeDetection::default() };
    let mut bench = Bench::with(Config { change_detection: detection, ..Config::default() });
    expect![[r#"
        tag_drift: i-1: tag a added: "b"
    "#]]
    .assert_eq(&bench.say(&[
        seen_at("i-1", 0, json!({})),
        seen_at("i-1", 1, json!({"status": "x"})),
        seen_at("i-1", 1, json!({"status": "x", "tags": {"a": "b"}})),
    ]));
    assert_eq!(bench.sql("SELECT count(*) FROM versions"), "3\n");
}

#[test]
fn a_newer_scan_or_a_long_silence_ends_an_older_scan() {
    let mut bench = known();
    bench.send(&[seen(Some("s2"), "i-1", json!({"tags": {"Owner": "a"}, "status": "running"}))]);
    bench.send(&[seen(Some("s3"), "i-2", json!({"name": "web"}))]);
    bench.sequence = 100;
    bench.send(&[seen(None, "i-2", json!({"name": "web"}))]);
    expect![[r#"
        s1 | complete | proved | 2 | 2
        s2 | abandoned | unknown | - | 1
        s3 | abandoned | unknown | - | 1
    "#]]
    .assert_eq(&bench.sql(
        "SELECT scan_id, outcome, verdict, coalesce(observed::VARCHAR, '-'), received FROM scans ORDER BY scan_id",
    ));
    expect![[r#"
        101 | 102
    "#]]
    .assert_eq(&bench.sql("SELECT applied, resume FROM positions"));
}

#[test]
fn a_pipe_gives_the_same_changes() {
    let rows = [
        seen(Some("s1"), "i-1", json!({"status": "running"})),
        report("s1", 0, "complete", 1),
        seen_at("i-1", 1, json!({"status": "stopped"})),
    ];
    let bench = Bench::new();
    let piped = bench.handle(&Batch { source: Source::Pipe, pages: vec![page(1, &rows)] });
    let mut other = Bench::new();
    let streamed = other.send(&rows);
    assert_eq!(changes(&piped.messages), changes(&streamed.messages));
    assert_eq!(piped.messages.len(), 2);
}

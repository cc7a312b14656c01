//! What analysts and `elava` are given.

use elava_detector::Query;
use expect_test::expect;
use serde_json::json;

use crate::harness::{Bench, report, seen};

fn day() -> Bench {
    let mut bench = Bench::new();
    bench.send(&[
        seen(Some("s1"), "i-1", json!({"tags": {"Owner": "a"}})),
        seen(Some("s1"), "i-2", json!({"tags": {"elava:blessed": "true"}})),
        report("s1", 0, "complete", 2),
    ]);
    bench.sequence = 9;
    bench.send(&[seen(None, "i-1", json!({"tags": {"Owner": "b"}}))]);
    bench.send(&[seen(None, "i-1", json!({"tags": {"Owner": "b"}, "status": "running"}))]);
    bench.send(&[seen(None, "i-3", json!({"tags": {"Team/x": "1"}}))]);
    bench.send(&[seen(None, "i-3", json!({"tags": {"Team/x": "2"}}))]);
    bench.sequence = 19;
    bench.send(&[
        seen(Some("s2"), "i-1", json!({"tags": {"Owner": "b"}, "status": "running"})),
        seen(Some("s2"), "i-2", json!({"tags": {"elava:blessed": "true"}})),
        report("s2", 20, "complete", 2),
    ]);
    bench
}

#[test]
fn views_and_macros() {
    let mut bench = day();
    for (sql, expected) in [
        (
            "SELECT id, status, tags['Owner'] FROM resources ORDER BY id",
            expect![[r#"
            i-1 | running | b
            i-2 |  | 
        "#]],
        ),
        (
            "SELECT id, strftime(last_seen, '%H:%M'), last_outcome FROM sightings ORDER BY id",
            expect![[r#"
            i-1 | 00:20 | complete
            i-2 | 00:20 | complete
        "#]],
        ),
        (
            "SELECT id, tags['Owner'] FROM resources_at('2026-01-01T00:05:00Z') ORDER BY id",
            expect![[r#"
            i-1 | a
            i-2 | 
        "#]],
        ),
        (
            "SELECT id FROM resources_at('2026-01-01T00:15:00Z') ORDER BY id",
            expect![[r#"
            i-1
            i-2
            i-3
        "#]],
        ),
        (
            "SELECT strftime(valid_from, '%H:%M'), tags, status FROM history('i-1')",
            expect![[r#"
            00:01 | {Owner=a} | 
            00:10 | {Owner=b} | 
            00:11 | {Owner=b} | running
        "#]],
        ),
        (
            "SELECT count(*) FROM history('aws/1/r/ec2:instance/i-1')",
            expect![[r#"
            3
        "#]],
        ),
        (
            "SELECT tags, status FROM previous_observation('i-1')",
            expect![[r#"
            {Owner=b} | 
        "#]],
        ),
        (
            "SELECT change, id, baseline FROM changes_since('2026-01-01T00:00:00Z')",
            expect![[r#"
            appeared | i-1 | true
            appeared | i-2 | true
            tag_drift | i-1 | false
            modified | i-1 | false
            appeared | i-3 | false
            tag_drift | i-3 | false
            disappeared | i-3 | false
        "#]],
        ),
        (
            "SELECT id FROM new_since('2026-01-01T00:00:00Z')",
            expect![[r#"
            i-3
        "#]],
        ),
        (
            "SELECT id FROM disappeared_since('2026-01-01T00:00:00Z')",
            expect![[r#"
            i-3
        "#]],
        ),
        (
            "SELECT id FROM modified_since('2026-01-01T00:11:00Z')",
            expect![[r#"
            i-1
        "#]],
        ),
        ("SELECT id FROM modified_since('2026-01-01T00:12:00Z')", expect![""]),
        (
            "SELECT id, tag_keys FROM tag_changes_since('2026-01-01T00:00:00Z')",
            expect![[r#"
            i-1 | [Owner]
            i-3 | [Team/x]
        "#]],
        ),
        (
            "SELECT id FROM tag_changes_since('2026-01-01T00:00:00Z', ['Team/x', 'Other'])",
            expect![[r#"
            i-3
        "#]],
        ),
        (
            "SELECT count(*) FROM tag_changes_since('2026-01-01T00:00:00Z', [])",
            expect![[r#"
            2
        "#]],
        ),
        (
            "SELECT id FROM blessed",
            expect![[r#"
            i-2
        "#]],
        ),
        (
            "SELECT type, strftime(last_complete_at, '%H:%M:%S'), last_outcome, scans FROM coverage",
            expect![[r#"
            ec2:instance | 00:20:50 | complete | 2
        "#]],
        ),
    ] {
        expected.assert_eq(&bench.sql(sql));
    }
}

#[test]
fn the_file_has_the_format_that_compresses() {
    let sql = "SELECT tags['storage_version'] FROM duckdb_databases() WHERE NOT internal";
    expect![[r#"
        v1.5.0+
    "#]]
    .assert_eq(&Bench::new().sql(sql));
}

#[test]
fn questions_by_message_and_by_file_have_the_same_answers() {
    let mut bench = day();
    let summary = bench.ask(&json!({"query": "summary"}));
    let line = |row: &serde_json::Value| format!("{} {} {}\n", row["measure"], row["name"], row["value"]);
    expect![[r#"
        "baseline" "appeared" 2.0
        "changes" "appeared" 1.0
        "changes" "disappeared" 1.0
        "changes" "modified" 1.0
        "changes" "tag_drift" 2.0
        "resources" "ever" 3.0
        "resources" "existing" 2.0
        "scans" "proved" 2.0
        "versions" "all" 6.0
    "#]]
    .assert_eq(&summary.iter().map(line).collect::<String>());
    let from_file: Vec<_> = bench.ask_file(&Query::Summary {}).into_iter().map(serde_json::Value::from).collect();
    assert_eq!(summary, from_file);

    let changes = bench.ask(&json!({"query": "changes", "since": "2026-01-01T00:12:00Z", "limit": 2}));
    let line = |row: &serde_json::Value| format!("{} {}\n", row["detected_at"], row["details"]);
    expect![[r#"
        "2026-01-01T00:20:50.000000Z" "instance i-3 disappeared"
        "2026-01-01T00:13:00.000000Z" "i-3: tag Team/x changed from \"1\" to \"2\""
    "#]]
    .assert_eq(&changes.iter().map(line).collect::<String>());

    let hourly = bench.ask(&json!({
        "query": "changes_over_time", "since": "2025-12-31T00:00:00Z", "step_seconds": 3600,
    }));
    let line = |row: &serde_json::Value| format!("{} {} {}\n", row["begins_at"], row["type"], row["changes"]);
    expect![[r#"
        "2026-01-01T00:00:00.000000Z" "appeared" 1
        "2026-01-01T00:00:00.000000Z" "disappeared" 1
        "2026-01-01T00:00:00.000000Z" "modified" 1
        "2026-01-01T00:00:00.000000Z" "tag_drift" 2
    "#]]
    .assert_eq(&hourly.iter().map(line).collect::<String>());
    // 2025-12-29 was a Monday
    let weekly = bench.ask(&json!({
        "query": "changes_over_time", "since": "2026-01-01T00:12:00Z", "step_seconds": 604_800,
        "scope": {"type": "ec2:*"},
    }));
    expect![[r#"
        "2025-12-29T00:00:00.000000Z" "appeared" 1
        "2025-12-29T00:00:00.000000Z" "disappeared" 1
        "2025-12-29T00:00:00.000000Z" "tag_drift" 1
    "#]]
    .assert_eq(&weekly.iter().map(line).collect::<String>());
    let elsewhere = json!({
        "query": "changes_over_time", "since": "2026-01-01T00:00:00Z", "step_seconds": 3600, "scope": {"account": "none"},
    });
    assert_eq!(bench.ask(&elsewhere), [] as [serde_json::Value; 0]);

    for (query, rows) in [
        (json!({"query": "changes", "baseline": true}), 7),
        (json!({"query": "history", "key": "i-1"}), 3),
        (json!({"query": "history", "key": "none"}), 0),
        (json!({"query": "violations"}), 0),
        (json!({"query": "coverage"}), 1),
        (json!({"query": "resources"}), 2),
    ] {
        assert_eq!(bench.ask(&query).len(), rows, "{query}");
    }
}

#[test]
fn how_much_space_the_history_takes() {
    let mut bench = day();
    // opening it again has written everything to the file
    bench.restart();
    let asked = bench.ask(&json!({"query": "storage"}));
    let counts = |rows: &[serde_json::Value]| {
        let counted = rows.iter().filter(|row| !row["rows"].is_null());
        let mut lines: Vec<_> = counted.map(|row| format!("{} {}\n", row["part"], row["rows"])).collect();
        lines.sort();
        lines.concat()
    };
    expect![[r#"
        "changes" 7
        "keys" 3
        "scans" 2
        "versions" 6
    "#]]
    .assert_eq(&counts(&asked));
    let bytes = |part: &str| {
        let row = asked.iter().find(|row| row["part"] == part);
        row.and_then(|row| row["bytes"].as_u64()).unwrap_or_else(|| panic!("{part} has bytes in {asked:?}"))
    };
    let parts = ["free", "versions", "changes", "keys", "scans", "other"].map(bytes);
    // a block that several tables share is counted in parts, which are rounded
    assert!(bytes("file").abs_diff(parts.iter().sum()) < 8, "{asked:?}");
    assert!(bytes("versions") > 0, "{asked:?}");
    let from_file: Vec<_> = bench.ask_file(&Query::Storage {}).into_iter().map(serde_json::Value::from).collect();
    assert_eq!(counts(&from_file), counts(&asked));
}

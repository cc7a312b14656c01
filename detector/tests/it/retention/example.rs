//! One resource's days, before and after.

use std::process::{Command, Output};

use elava_bus::{Stage, Stream};
use elava_detector::Mode;
use expect_test::expect;
use serde_json::json;

use super::{at, decided, ended, hour, judged, record, rule, thin};
use crate::harness::{Bench, SOURCE, changes, rows, seen};

const VERSIONS: &str = "SELECT id, status, strftime(valid_from, '%d %H:%M'), strftime(valid_to, '%d %H:%M'), ended_by
    FROM versions ORDER BY id, valid_from";

/// What i-1 was at so many hours, and i-2 much the same, but people heard of it.
fn days() -> Bench {
    let mut bench = Bench::new();
    for (hours, status) in [
        (8, "a"),
        (10, "b"),
        (14, "c"),
        (24 + 9, "d"),
        (24 + 10, "e"),
        (24 + 20, "f"),
        // g until midnight, h from then on
        (48 + 12, "g"),
        (72, "h"),
        (72 + 11, "i"),
    ] {
        let rows = ["i-1", "i-2"].map(|id| seen(None, id, json!({"status": status})));
        let told = at(&mut bench, hour(hours), &rows);
        if status == "e" {
            for (id, action, change) in [("i-1", "audit", 0), ("i-2", "notify", 1)] {
                let cause = &changes(&told.messages)[change].id;
                record(&mut bench, Stream::Decision, &decided(id, id, hour(hours), action, cause.as_str()));
            }
        }
    }
    record(&mut bench, Stream::Policy, &judged("i-2", "r1", hour(60), true));
    // both are gone; a scan ten days later makes all of this old
    at(&mut bench, hour(72 + 12), &[ended("s1", hour(72 + 12), 0)]);
    at(&mut bench, hour(240), &[ended("s2", hour(240), 0)]);
    bench.block(bench.stage().stored(&SOURCE, bench.sequence)).expect("noted");
    at(&mut bench, hour(241), &[ended("s3", hour(241), 0)]);
    bench
}

#[test]
fn one_version_a_day_and_what_findings_refer_to() {
    let mut bench = days();
    let before = bench.sql(VERSIONS);
    expect![[r#"
        i-1 | a | 01 08:00 | 01 10:00 | changed
        i-1 | b | 01 10:00 | 01 14:00 | changed
        i-1 | c | 01 14:00 | 02 09:00 | changed
        i-1 | d | 02 09:00 | 02 10:00 | changed
        i-1 | e | 02 10:00 | 02 20:00 | changed
        i-1 | f | 02 20:00 | 03 12:00 | changed
        i-1 | g | 03 12:00 | 04 00:00 | changed
        i-1 | h | 04 00:00 | 04 11:00 | changed
        i-1 | i | 04 11:00 | 04 12:00 | disappeared
    "#]]
    .assert_eq(&only(&before, "i-1"));
    let counted = thin(&mut bench, &[rule("ec2:*", "1d")], Mode::Count);
    assert_eq!(bench.sql(VERSIONS), before);
    let thinned = thin(&mut bench, &[rule("ec2:*", "1d")], Mode::Remove);
    assert_eq!(counted, thinned);
    expect![[r#"[Thinned { kind: "ec2:instance", from: 2026-01-01, to: 2026-01-04, removed: 5, kept: 13 }]"#]]
        .assert_eq(&format!("{thinned:?}"));
    let after = bench.sql(VERSIONS);
    // b, d, e and g began and ended within a day
    expect![[r#"
        i-1 | a | 01 08:00 | 01 14:00 | changed
        i-1 | c | 01 14:00 | 02 20:00 | changed
        i-1 | f | 02 20:00 | 04 00:00 | changed
        i-1 | h | 04 00:00 | 04 11:00 | changed
        i-1 | i | 04 11:00 | 04 12:00 | disappeared
    "#]]
    .assert_eq(&only(&after, "i-1"));
    // d and e are the change that somebody was told of, g was there when a violation opened
    expect![[r#"
        i-2 | a | 01 08:00 | 01 14:00 | changed
        i-2 | c | 01 14:00 | 02 09:00 | changed
        i-2 | d | 02 09:00 | 02 10:00 | changed
        i-2 | e | 02 10:00 | 02 20:00 | changed
        i-2 | f | 02 20:00 | 03 12:00 | changed
        i-2 | g | 03 12:00 | 04 00:00 | changed
        i-2 | h | 04 00:00 | 04 11:00 | changed
        i-2 | i | 04 11:00 | 04 12:00 | disappeared
    "#]]
    .assert_eq(&only(&after, "i-2"));
    expect![[r#"
        ec2:* | 2026-01-01 | 2 | 2 | 5
        ec2:* | 2026-01-02 | 2 | 1 | 10
        ec2:* | 2026-01-03 | 1 | 1 | 12
        ec2:* | 2026-01-04 | 0 | 0 | 
    "#]]
    .assert_eq(&bench.sql("SELECT rule, day, removed, extended, touched_closed_in FROM thinned ORDER BY ALL"));
    assert_eq!(thin(&mut bench, &[rule("ec2:*", "1d")], Mode::Remove), []);
    // a rule of other types looks again, and finds nothing
    let again = thin(&mut bench, &[rule("*", "1d")], Mode::Remove);
    assert_eq!(again.iter().map(|thinned| thinned.removed).sum::<u64>(), 0);
}

fn only(versions: &str, id: &str) -> String {
    versions.lines().filter(|line| line.starts_with(id)).map(|line| format!("{line}\n")).collect()
}

#[test]
fn other_types_and_young_versions_stay() {
    for (policy, removed) in [
        (vec![rule("rds:*", "1d")], 0),
        (vec![rule("ec2:*", "10d")], 0),
        (vec![rule("ec2:*", "8d")], 4),
        (vec![rule("ec2:*", "9000d"), rule("*", "1d")], 0),
        (vec![rule("rds:*", "9000d"), rule("*", "1d")], 5),
    ] {
        let thinned = thin(&mut days(), &policy, Mode::Count);
        assert_eq!(thinned.iter().map(|thinned| thinned.removed).sum::<u64>(), removed, "{policy:?}");
    }
}

#[test]
fn what_comes_late_is_looked_at_too() {
    let mut bench = Bench::new();
    at(&mut bench, hour(240), &[ended("s1", hour(240), 0)]);
    let policy = [rule("*", "1d")];
    assert_eq!(thin(&mut bench, &policy, Mode::Remove), []);
    let mut removed = Vec::new();
    for hours in [[8, 9, 10, 24], [30, 31, 32, 50]] {
        for hours in hours {
            at(&mut bench, hour(hours), &[seen(None, "i-1", json!({"status": hours.to_string()}))]);
        }
        bench.block(bench.stage().stored(&SOURCE, bench.sequence)).expect("noted");
        at(&mut bench, hour(300), &[]);
        removed.push(thin(&mut bench, &policy, Mode::Remove).iter().map(|thinned| thinned.removed).sum::<u64>());
    }
    assert_eq!(removed, [2, 2]);
}

fn compact(bench: &Bench, config: &str, more: &[&str]) -> Output {
    let file = bench.path.with_file_name("elava.yaml");
    std::fs::write(&file, format!("version: \"2.0\"\n{config}")).expect("a file");
    Command::new(env!("CARGO_BIN_EXE_elava-detector"))
        .arg("compact")
        .arg("--db")
        .arg(&bench.path)
        .arg("--config")
        .arg(file)
        .args(more)
        .output()
        .expect("the binary")
}

#[test]
fn compact_thins_a_file_that_nobody_holds() {
    let mut bench = days();
    let config = "history:\n  retention:\n    - types: [\"ec2:*\"]\n      thin_after: 1d\n";
    let held = compact(&bench, config, &[]);
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!((held.status.code(), said(&held.stdout).as_str()), (Some(1), ""));
    bench.stop();
    let versions = rows(&bench.path, VERSIONS);
    for (arguments, thinned) in [(&["--dry-run"][..], false), (&[], true)] {
        let output = compact(&bench, config, arguments);
        let line = r#"{"type":"ec2:instance","from":"2026-01-01","to":"2026-01-04","removed":5,"kept":13}"#;
        assert_eq!(said(&output.stdout).trim_end(), line);
        assert!(said(&output.stderr).contains("old versions"), "{}", said(&output.stderr));
        assert_eq!(rows(&bench.path, VERSIONS) != versions, thinned);
    }
    let refused = compact(&bench, "history: {}\n", &[]);
    assert!(said(&refused.stderr).contains("everything is kept"), "{}", said(&refused.stderr));
    let wrong = compact(&bench, "history:\n  retention:\n    - types: [\"*\"]\n      thin: 1d\n", &[]);
    assert_eq!(wrong.status.code(), Some(2), "{}", said(&wrong.stderr));
}

//! Ends of unchanged scans, stored a moment later and together: not lost, not twice, and in nobody's way.

use elava_bus::{Batch, Output, Page, Source, Stage, Stream};
use serde_json::{Value, json};

use crate::harness::{Bench, SOURCE, page, report, seen, told};

/// Another scope's, in partition 4.
const OTHER: Source = Source::Partition { stream: Stream::Observation, partition: 4 };

fn other(sequence: u64, rows: &[Value]) -> Page {
    let rows: Vec<Value> =
        rows.iter().map(|row| row.as_str().map_or_else(|| row.to_string(), str::to_owned)).map(elsewhere).collect();
    Page { subject: "elava.observation.4.aws.1.q.ec2:instance".to_owned(), ..page(sequence, &rows) }
}

fn elsewhere(row: String) -> Value {
    Value::String(row.replace(r#""region":"r""#, r#""region":"q""#))
}

fn scan(id: &str, minute: i64) -> [Value; 2] {
    [seen(Some(id), "i-1", json!({})), report(id, minute, "complete", 1)]
}

/// As the bus gives it, before it has what was put off stored.
fn give(bench: &Bench, source: Source, page: Page) -> Output {
    bench.block(bench.stage().handle(&Batch { source, pages: vec![page] })).expect("the history takes it")
}

/// What is stored of scans and positions; the detector is ended for it, as by a crash.
fn stored(bench: &mut Bench) -> String {
    bench.sql("SELECT scan_id FROM scans ORDER BY ALL")
        + &bench.sql("SELECT partition, applied, resume FROM positions ORDER BY ALL")
}

#[test]
fn the_end_of_an_unchanged_scan_waits_and_is_repeated_after_a_crash() {
    let mut bench = Bench::new();
    assert!(give(&bench, SOURCE, page(1, &scan("s1", 0))).settle_within.is_none(), "what is new does not wait");
    let given = give(&bench, SOURCE, page(2, &scan("s2", 2)));
    assert!(given.settle_within.is_some() && told(&given).is_empty());
    assert_eq!(stored(&mut bench), "s1\n3 | 1 | 2\n", "it ended before the time");

    let resume = bench.block(bench.stage().resume(&SOURCE, None, Vec::new())).expect("a position");
    assert_eq!(resume.from, 2);
    assert!(give(&bench, SOURCE, page(2, &scan("s2", 2))).settle_within.is_some());
    bench.block(bench.stage().settle(&OTHER)).expect("nothing to do");
    bench.block(bench.stage().settle(&SOURCE)).expect("stored");
    bench.block(bench.stage().settle(&SOURCE)).expect("nothing to do");
    assert_eq!(stored(&mut bench), "s1\ns2\n3 | 2 | 3\n");
    // the report once more
    assert_eq!(told(&give(&bench, SOURCE, page(3, &scan("s2", 2)[1..]))), "");
    assert_eq!(stored(&mut bench), "s1\ns2\n3 | 2 | 3\n");
}

#[test]
fn what_waits_is_stored_with_whatever_is_stored_before() {
    let mut bench = Bench::new();
    give(&bench, SOURCE, page(1, &scan("s1", 0)));
    give(&bench, OTHER, other(2, &scan("q1", 0)));
    assert!(give(&bench, SOURCE, page(3, &scan("s2", 4))).settle_within.is_some());
    // what changes in another partition
    let changed = give(&bench, OTHER, other(4, &[seen(None, "i-2", json!({}))]));
    assert_eq!((told(&changed).as_str(), changed.settle_within), ("appeared: instance i-2 appeared\n", None));
    assert_eq!(stored(&mut bench), "q1\ns1\ns2\n3 | 3 | 4\n4 | 4 | 5\n");

    // one of each scope waits at most
    give(&bench, SOURCE, page(5, &scan("s3", 6)));
    assert!(
        give(
            &bench,
            OTHER,
            other(
                6,
                &[
                    seen(Some("q2"), "i-1", json!({})),
                    seen(Some("q2"), "i-2", json!({})),
                    report("q2", 7, "complete", 2)
                ]
            )
        )
        .settle_within
        .is_some()
    );
    assert!(give(&bench, SOURCE, page(7, &scan("s4", 8))).settle_within.is_none());
    assert_eq!(stored(&mut bench), "q1\nq2\ns1\ns2\ns3\ns4\n3 | 7 | 8\n4 | 6 | 7\n");
}

#[test]
fn a_scan_that_is_open_is_given_again_though_an_earlier_one_waits() {
    let mut bench = Bench::new();
    give(
        &bench,
        SOURCE,
        page(
            1,
            &[seen(Some("s1"), "i-1", json!({})), seen(Some("s1"), "i-2", json!({})), report("s1", 0, "complete", 2)],
        ),
    );
    give(
        &bench,
        SOURCE,
        page(
            2,
            &[seen(Some("s2"), "i-1", json!({})), seen(Some("s2"), "i-2", json!({})), report("s2", 2, "complete", 2)],
        ),
    );
    give(&bench, SOURCE, page(3, &[seen(Some("s3"), "i-1", json!({}))]));
    // the partition is taken again, by the same process: what it was given is given again, from what is stored
    let resume = bench.block(bench.stage().resume(&SOURCE, None, Vec::new())).expect("a position");
    assert_eq!(resume.from, 2);
    bench.block(bench.stage().settle(&SOURCE)).expect("stored");
    assert_eq!(stored(&mut bench), "s1\ns2\n3 | 2 | 3\n", "not past the open scan");
    let resume = bench.block(bench.stage().resume(&SOURCE, None, Vec::new())).expect("a position");
    assert_eq!(resume.from, 3);
    give(&bench, SOURCE, page(3, &[seen(Some("s3"), "i-1", json!({}))]));
    assert_eq!(
        told(&give(&bench, SOURCE, page(4, &[report("s3", 4, "complete", 1)]))),
        "disappeared: instance i-2 disappeared\n"
    );
    assert_eq!(stored(&mut bench), "s1\ns2\ns3\n3 | 4 | 5\n");
}

#[test]
fn what_a_scan_leaves_unknown_does_not_wait() {
    let mut bench = Bench::new();
    give(&bench, SOURCE, page(1, &scan("s1", 0)));
    for (sequence, minute, outcome, observed) in [(2, 2, "partial", 1), (3, 4, "complete", 2)] {
        let id = format!("s{sequence}");
        let rows = [seen(Some(&id), "i-1", json!({})), report(&id, minute, outcome, observed)];
        assert!(give(&bench, SOURCE, page(sequence, &rows)).settle_within.is_none(), "{outcome}");
    }
    assert_eq!(stored(&mut bench), "s1\ns2\ns3\n3 | 3 | 4\n");
}

//! However far ended versions are sorted by resource, whatever was removed and whenever it was stopped: the history of a
//! resource is its versions.

use elava_detector::{Arranged, Mode, Pace, arrange_file};
use proptest::prelude::*;
use serde_json::json;

use super::any_history::{IDS, Teller, story};
use super::{rule, thin};
use crate::harness::{Bench, rows, seen};

/// Versions by the tables that are in order of time; and by resource.
fn told_twice(bench: &mut Bench, id: &str) -> (String, String) {
    let ordered = |from: &str| format!("SELECT * FROM ({from}) ORDER BY ALL");
    bench.stop();
    let told = (
        rows(&bench.path, &ordered(&format!("FROM versions WHERE id = '{id}'"))),
        rows(&bench.path, &ordered(&format!("FROM history('{id}')"))),
    );
    bench.restart();
    told
}

/// Does at most so many steps, with the detector stopped as by a crash.
fn arrange(bench: &mut Bench, pace: Pace, at_most: usize) -> Vec<Arranged> {
    bench.stop();
    let done = arrange_file(&bench.path, pace, at_most).expect("the history is arranged");
    bench.restart();
    done
}

/// Something that is done between two parts of a story.
#[derive(Clone, Debug)]
enum Between {
    Arranged(usize),
    Thinned,
}

fn between() -> impl Strategy<Value = Between> {
    prop_oneof![4 => (1..6_usize).prop_map(Between::Arranged), 1 => Just(Between::Thinned)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn the_history_of_a_resource_is_its_versions(
        parts in prop::collection::vec((story(12), between()), 3..7), few in 1..4_u64, together in 3..9_u64,
        quiet in any::<bool>(),
    ) {
        let pace = Pace { few, together, quiet };
        let mut teller = Teller::over(Bench::new(), 0);
        for (part, between) in &parts {
            teller.tell(part);
            match between {
                Between::Arranged(steps) => drop(arrange(&mut teller.bench, pace, *steps)),
                Between::Thinned => drop(thin(&mut teller.bench, &[rule("ec2:*", "1d")], Mode::Remove)),
            }
            for id in IDS {
                let (versions, history) = told_twice(&mut teller.bench, id);
                prop_assert_eq!(history, versions, "{} after {:?}", id, between);
            }
        }
        // all of it comes to an end, and is where it belongs
        arrange(&mut teller.bench, pace, usize::MAX);
        prop_assert_eq!(arrange(&mut teller.bench, pace, 1), []);
        let waits = "SELECT count(*) FROM closed JOIN lives.state s
            ON closed.closed_in > s.closed_in OR (closed.closed_in = s.closed_in AND valid_to > until)";
        let waits: u64 = teller.bench.sql(waits).trim().parse().expect("a number");
        prop_assert!(waits < few.max(2), "{} wait", waits);
        for id in IDS {
            let (versions, history) = told_twice(&mut teller.bench, id);
            prop_assert_eq!(history, versions);
        }
    }
}

#[test]
fn all_rows_are_sorted_once_they_are_many() {
    let mut bench = Bench::new();
    for turn in 0..12 {
        let rows: Vec<_> = IDS.iter().map(|id| seen(None, id, json!({"status": turn.to_string()}))).collect();
        bench.send(&rows);
    }
    let pace = Pace { few: 2, together: 11, quiet: false };
    let done = arrange(&mut bench, pace, usize::MAX);
    let taken = [Arranged::TookIn(12), Arranged::TookIn(12), Arranged::TookIn(9)];
    let sorted = [Arranged::Began(3), Arranged::Sorted, Arranged::Sorted, Arranged::Sorted, Arranged::Swapped];
    assert_eq!(done, [&taken[..], &sorted[..]].concat());
    // one after the other, and each in order
    let order = "SELECT count(*) FROM (
        SELECT resource_id, valid_from, lag((resource_id, valid_from)) OVER (ORDER BY rowid) AS before FROM lives.ended
    ) WHERE (resource_id, valid_from) <= before";
    assert_eq!((bench.sql(order).trim(), bench.sql("SELECT count(*) FROM lives.ended").trim()), ("0", "33"));
    assert_eq!(bench.sql("SELECT sorted, added, slices FROM lives.state").trim(), "33 | 0 | 0");

    // what is closed now is read from where it lies, and stays there while it is little
    bench.send(&[seen(None, IDS[0], json!({"status": "last"}))]);
    assert_eq!(arrange(&mut bench, pace, usize::MAX), []);
    assert_eq!(bench.sql(&format!("SELECT count(*) FROM history('{}')", IDS[0])).trim(), "13");
}

//! The detector thins by itself, and ends when it is told to.

use std::time::{Duration, Instant};

use elava_bus::Stage;
use serde_json::json;

use super::{at, clock, ended, hour, rule};
use crate::harness::{Bench, SOURCE, seen};

/// Versions that the running detector says there are.
fn versions(bench: &Bench) -> u64 {
    let history = bench.ask(&json!({"query": "history", "key": "i-1"}));
    history.len() as u64
}

#[test]
fn a_running_detector_thins_between_batches() {
    let mut bench = Bench::new();
    for hours in [1, 2, 3, 30, 31, 32, 60] {
        at(&mut bench, hour(hours), &[seen(None, "i-1", json!({"status": hours.to_string()}))]);
    }
    bench.block(bench.stage().stored(&SOURCE, bench.sequence)).expect("noted");
    at(&mut bench, hour(240), &[ended("s1", hour(240), 0)]);
    bench.thin_daily(&[rule("*", "1d")], clock);
    let begun = Instant::now();
    while versions(&bench) > 4 {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing goes");
        std::thread::yield_now();
    }
    // detection goes on beside it
    at(&mut bench, hour(250), &[seen(None, "i-2", json!({}))]);
    bench.restart();
    assert_eq!((versions(&bench), bench.ask(&json!({"query": "resources"})).len()), (4, 1));
}

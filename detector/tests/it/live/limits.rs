//! A bad statement ends at its limit, and detection goes on meanwhile.

use std::time::{Duration, Instant};

use elava_bus::{Batch, Failure, Stage};
use serde_json::json;

use super::served::Served;
use crate::harness::{SOURCE, seen};

const LIMIT: Duration = Duration::from_secs(5);

/// Of a page: so many that a commit wants memory too.
const ROWS: u32 = 200;

/// How slow a machine may be, in limits.
const BUSY: u32 = 12;

/// What detection did while a statement ran.
#[derive(Debug, Default)]
struct Meanwhile {
    sent: u32,
    /// Batches that found no memory and were handled again, as the bus does it.
    again: u32,
    slowest: Duration,
    /// How long the statement ran.
    took: Duration,
    /// What the reader was told.
    error: String,
}

fn detect_while(sql: &str) -> Meanwhile {
    let mut served = Served::new(LIMIT);
    let mut client = served.client();
    let asked = Instant::now();
    client.begin_remote(sql);
    let waiting = std::thread::spawn(move || client.answer().expect_err("it cannot be answered"));
    let mut meanwhile = Meanwhile::default();
    while !waiting.is_finished() {
        meanwhile.sent += 1;
        let begun = Instant::now();
        let row = |number: u32| {
            let id = format!("i-{}-{number}", meanwhile.sent);
            seen(None, &id, json!({"tags": {"Owner": id.clone()}, "attributes": {"Text": "text".repeat(500)}}))
        };
        let pages = vec![served.bench.page(&(0..ROWS).map(row).collect::<Vec<_>>())];
        let batch = Batch { source: SOURCE, pages };
        while let Err(error) = served.bench.block(served.bench.stage().handle(&batch)) {
            assert!(matches!(error, Failure::Unavailable(_)), "{sql}: {error:?}");
            assert!(begun.elapsed() < LIMIT * 30, "{sql}: never again after {meanwhile:?}: {error:?}");
            meanwhile.again += 1;
        }
        meanwhile.slowest = meanwhile.slowest.max(begun.elapsed());
    }
    meanwhile.took = asked.elapsed();
    meanwhile.error = waiting.join().expect("it waited");
    let (all, right) = (ROWS * meanwhile.sent + 2, ROWS * meanwhile.sent);
    let count = "SELECT count(*), count(*) FILTER (tags['Owner'] = id AND (attributes->>'Text') = repeat('text', 500))
        FROM elava.resources";
    assert_eq!(served.client().sql(count), Ok(json!([[all, right]])), "{sql}");
    meanwhile
}

#[test]
fn an_endless_statement_ends() {
    for sql in [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE hash(a.range, b.range) = 1",
        "SELECT max(regexp_extract(md5(a.range::VARCHAR), '(a+)+$')) FROM range(10000000000) a",
        "EXPLAIN ANALYZE SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range = -1",
    ] {
        let meanwhile = detect_while(sql);
        assert!(meanwhile.error.contains("ended after 5 s"), "{sql}: {meanwhile:?}");
        assert!(meanwhile.took < LIMIT * BUSY, "{sql}: {meanwhile:?}");
        // detection went on: what is sent is answered, and would not be while it waits
        assert!(meanwhile.sent > 1 && meanwhile.slowest < LIMIT * BUSY, "{sql}: {meanwhile:?}");
    }
}

#[test]
fn a_statement_that_needs_too_much_memory_ends() {
    for sql in [
        "SELECT list(md5(range::VARCHAR)) FROM range(100000000)",
        "SELECT count(*) FROM (SELECT DISTINCT md5(range::VARCHAR) || md5((range + 1)::VARCHAR) FROM range(1000000000))",
        "SELECT md5(range::VARCHAR), row_number() OVER (ORDER BY md5(range::VARCHAR)) FROM range(1000000000)",
        "FROM (SELECT repeat_text.t FROM (SELECT string_agg(md5(range::VARCHAR), ',') AS t FROM range(100000000)) repeat_text)",
    ] {
        let meanwhile = detect_while(sql);
        let ended = ["ended after 5 s", "more memory"].iter().any(|text| meanwhile.error.contains(text));
        assert!(ended && meanwhile.sent > 1 && meanwhile.slowest < LIMIT * BUSY, "{sql}: {meanwhile:?}");
    }
}

#[test]
fn many_readers_wait_for_each_other() {
    let served = Served::new(Duration::from_secs(60));
    let mut clients: Vec<_> = (0..12).map(|_| served.client()).collect();
    for client in &mut clients {
        client.begin_remote("SELECT count(*) FROM range(300000) WHERE hash(range) % 7 = 1");
    }
    for client in &mut clients {
        client.answer().expect("its turn came");
    }
}

/// A thread's name and niceness, of its `stat` in /proc; none where it has ended.
#[cfg(target_os = "linux")]
fn stat(file: &std::path::Path) -> Option<(String, i32)> {
    let stat = std::fs::read_to_string(file).ok()?;
    let (name, fields) = stat.split_once('(')?.1.rsplit_once(") ")?;
    Some((name.to_owned(), fields.split(' ').nth(16)?.parse().ok()?))
}

/// The threads of this process.
#[cfg(target_os = "linux")]
fn threads() -> Vec<(String, i32)> {
    let threads = std::fs::read_dir("/proc/self/task").expect("threads");
    threads.filter_map(|thread| stat(&thread.ok()?.path().join("stat"))).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_long_statement_lets_detection_go_first() {
    let served = Served::new(LIMIT);
    let mut client = served.client();
    let (_, usual) = stat("/proc/self/stat".as_ref()).expect("this process");
    client.begin_remote("SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE hash(a.range, b.range) = 1");
    let waiting = std::thread::spawn(move || client.answer());
    let mut was_lowered = false;
    while !waiting.is_finished() {
        for (name, nice) in threads() {
            was_lowered |= name == "statement" && nice > usual;
            let may_be_lowered = ["statement", "arranger"].contains(&name.as_str());
            assert!(nice <= usual || may_be_lowered, "{name} is lowered");
            let may_be_raised = ["statement", "sql-server"].contains(&name.as_str());
            assert!(nice >= usual || may_be_raised, "{name} is raised");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(was_lowered);
    waiting.join().expect("it waited").expect_err("it is endless");
}

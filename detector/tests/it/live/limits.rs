//! A bad statement ends at its limit, and detection goes on meanwhile.

use std::time::{Duration, Instant};

use serde_json::json;

use super::served::Served;
use crate::harness::seen;

const LIMIT: Duration = Duration::from_secs(2);

/// Sends observations until the client has its answer; gives how many, the slowest, and the answer.
fn detect_while(sql: &str) -> (u32, Duration, String) {
    let mut served = Served::new(LIMIT);
    let mut client = served.client();
    client.begin_remote(sql);
    let waiting = std::thread::spawn(move || client.answer().expect_err("it cannot be answered"));
    let (mut sent, mut slowest) = (0, Duration::ZERO);
    while !waiting.is_finished() {
        sent += 1;
        let begun = Instant::now();
        served.bench.send(&[seen(None, &format!("i-1{sent}"), json!({"tags": {"Number": sent.to_string()}}))]);
        slowest = slowest.max(begun.elapsed());
    }
    let error = waiting.join().expect("it waited");
    let mut reader = served.client();
    assert_eq!(reader.sql("SELECT count(*) FROM elava.resources"), Ok(json!([[sent + 2]])), "{sql}");
    (sent, slowest, error)
}

#[test]
fn an_endless_statement_ends() {
    for sql in [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE hash(a.range, b.range) = 1",
        "SELECT max(regexp_extract(md5(a.range::VARCHAR), '(a+)+$')) FROM range(10000000000) a",
        "EXPLAIN ANALYZE SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range = -1",
    ] {
        let begun = Instant::now();
        let (sent, slowest, error) = detect_while(sql);
        assert!(error.contains("ended after 2 s"), "{sql}: {error}");
        assert!(begun.elapsed() < LIMIT * 8, "{sql}: {:?}", begun.elapsed());
        assert!(sent > 2 && slowest < LIMIT, "{sql}: {sent} batches, the slowest {slowest:?}");
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
        let (sent, slowest, error) = detect_while(sql);
        assert!(error.contains("ended after") || error.contains("more memory"), "{sql}: {error}");
        assert!(sent > 2 && slowest < LIMIT, "{sql}: {sent} batches, the slowest {slowest:?}");
    }
}

#[test]
fn many_readers_wait_for_each_other() {
    let served = Served::new(LIMIT);
    let mut clients: Vec<_> = (0..12).map(|_| served.client()).collect();
    for client in &mut clients {
        client.begin_remote("SELECT count(*) FROM range(3000000) WHERE hash(range) % 7 = 1");
    }
    for client in &mut clients {
        client.answer().expect("its turn came");
    }
}

//! What a reader gets.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use elava_bus::{Batch, Source, Stage};
use elava_detector::live::{Extension, LiveError, LiveOptions, TokenSource};
use elava_schemas::config::RetentionRule;
use serde_json::{Value, json};

use super::served::{Client, Served, TOKEN, extension, free_address};
use crate::harness::{Bench, SOURCE, report, seen};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_client_reads_while_the_detector_writes() {
    let mut served = Served::new(LIMIT);
    let mut client = served.client();
    let count = |client: &mut Client| client.sql("SELECT count(*) FROM elava.resources");
    assert_eq!(count(&mut client), Ok(json!([[2]])));
    for id in ["i-3", "i-4", "i-5"] {
        served.bench.send(&[seen(None, id, json!({}))]);
    }
    assert_eq!(count(&mut client), Ok(json!([[5]])));
}

/// Its table was not there when the server began.
#[test]
fn a_type_seen_for_the_first_time_is_served() {
    let mut served = Served::new(LIMIT);
    let key = json!({"provider": "aws", "account": "1", "region": "r", "type": "rds:db", "id": "db-1"});
    let database = seen(None, "db-1", json!({"key": key, "attributes": {"Engine": "postgres"}}));
    // its subject is another one than that of the pages here
    let pages = vec![served.bench.page(&[database])];
    served.bench.handle(&Batch { source: Source::Pipe, pages });
    let mut client = served.client();
    assert_eq!(client.sql("SELECT id, Engine FROM elava.rds_db"), Ok(json!([["db-1", "postgres"]])));
    assert!(client.sql("FROM elava.rds_nothing").is_err());
}

#[test]
fn answers() {
    let mut served = Served::new(LIMIT);
    served.bench.send(&[seen(None, "i-1", json!({"tags": {"Owner": "b"}}))]);
    let mut client = served.client();
    for (sql, expected) in [
        (
            "SELECT typeof(COLUMNS('^(tags|attributes|valid_from|resource)$')) FROM elava.versions LIMIT 1",
            json!([["MAP(VARCHAR, VARCHAR)", "JSON", "TIMESTAMP WITH TIME ZONE"]]),
        ),
        ("SELECT id, tags['Owner'] FROM elava.resources ORDER BY id", json!([["i-1", "b"], ["i-2", null]])),
        (
            "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'elava' AND table_name LIKE 'result%'",
            json!([[0]]),
        ),
        (
            "SELECT * FROM elava.query('SELECT id, change FROM changes_since(TIMESTAMPTZ ''2020-01-01'') WHERE change = ''tag_drift''')",
            json!([["i-1", "tag_drift"]]),
        ),
    ] {
        assert_eq!(client.sql(sql), Ok(expected), "{sql}");
    }
    for (sql, expected) in [
        ("SELECT count(*) FROM history('i-1')", json!([[2]])),
        ("FROM (VALUES (1, 'a')) -- a comment", json!([[1, "a"]])),
        ("SELECT 1 AS a, 2 AS a;", json!([[1, 2]])),
        ("SELECT current_setting('TimeZone')", json!([["UTC"]])),
        ("SELECT count(*) > 5 FROM (SHOW TABLES)", json!([[true]])),
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT sum(i) FROM n",
            json!([["6"]]),
        ),
        (
            "SELECT DISTINCT table_catalog FROM information_schema.tables WHERE table_name = 'changes'",
            json!([["history"]]),
        ),
        ("BEGIN", json!([[true]])),
        ("COMMIT", json!([[true]])),
    ] {
        let answer = client.remote(sql).map(|rows| text_of_large_numbers(&rows, &expected));
        assert_eq!(answer, Ok(expected), "{sql}");
    }
    assert_eq!(client.remote("DESCRIBE resources").expect("columns")[0][0], json!("key"));
    let plan = client.remote("EXPLAIN ANALYZE FROM resources").expect("a plan").to_string();
    assert!(plan.contains("analyzed_plan"), "{plan}");
    let error = client.remote("SELECT nothing FROM resources").expect_err("a mistake");
    assert!(error.contains("\"nothing\" not found"), "{error}");
}

/// Python shows a HUGEINT as a number.
fn text_of_large_numbers(rows: &Value, expected: &Value) -> Value {
    if rows[0][0].is_number() && expected[0][0].is_string() { json!([[rows[0][0].to_string()]]) } else { rows.clone() }
}

#[test]
fn our_own_client_reads_too() {
    let served = Served::new(LIMIT);
    let connection = duckdb::Connection::open_in_memory().expect("a database");
    extension().load(&connection).expect("the extension");
    connection.execute_batch(&format!("ATTACH '{}' AS elava (TOKEN '{TOKEN}')", served.uri())).expect("attached");
    let count: i64 =
        connection.query_row("SELECT count(*) FROM elava.resources", [], |row| row.get(0)).expect("a count");
    assert_eq!(count, 2);
}

#[test]
fn old_versions_go_and_space_is_measured_while_it_serves() {
    let mut served = Served::new(LIMIT);
    let bench = &mut served.bench;
    for status in ["a", "b", "c"] {
        bench.send(&[seen(None, "i-1", json!({"status": status}))]);
    }
    // ten days later, when all of that is stored downstream
    bench.sequence = 10 * 24 * 60;
    bench.block(bench.stage().stored(&SOURCE, bench.sequence)).expect("noted");
    bench.send(&[report("s9", 10 * 24 * 60, "complete", 0)]);
    let versions = |bench: &Bench| {
        let parts = bench.ask(&json!({"query": "storage"}));
        parts.iter().find(|row| row["part"] == "versions").map(|row| row["rows"].clone())
    };
    assert_eq!(versions(bench), Some(json!(5)));
    let mut client = served.client();
    let count = "SELECT count(*), max(status) FROM elava.versions WHERE id = 'i-1'";
    assert_eq!(client.sql(count), Ok(json!([[4, "c"]])));
    let policy = RetentionRule { types: vec!["*".into()], thin_after: Some("1d".parse().expect("a duration")) };
    served.bench.thin_daily(&[policy], chrono::Utc::now);
    while versions(&served.bench) != Some(json!(3)) {
        std::thread::yield_now();
    }
    assert_eq!(client.sql(count), Ok(json!([[2, "c"]])));
}

#[test]
fn a_wrong_token_is_refused() {
    let served = Served::new(LIMIT);
    for token in ["wrong-token-wrong-token", "xxxx", ""] {
        let error = Client::start().attach(&served.uri(), token).expect_err(token);
        assert!(!error.contains(TOKEN), "{error}");
    }
    assert_eq!(served.client().remote("SELECT 1"), Ok(json!([[1]])));
}

#[test]
fn without_the_extension_there_is_no_server_and_all_else() {
    let mut bench = Bench::new();
    let options = LiveOptions {
        address: free_address(),
        token: TokenSource::Made(bench.path.with_extension("sql-token")),
        extension: Extension { file: Some("/nowhere/quack.duckdb_extension".into()), install: false },
        timeout: LIMIT,
        memory: 64 << 20,
    };
    assert!(matches!(bench.try_serve(&options), Err(LiveError::Extension(_))));
    bench.send(&[seen(None, "i-1", json!({}))]);
    assert_eq!(bench.sql("SELECT count(*) FROM resources").trim(), "1");
}

#[test]
fn an_address_that_is_taken_is_said() {
    let served = Served::new(LIMIT);
    let mut bench = Bench::new();
    let options = LiveOptions {
        address: served.address,
        token: TokenSource::Made(bench.path.with_extension("sql-token")),
        extension: extension(),
        timeout: LIMIT,
        memory: 64 << 20,
    };
    assert!(matches!(bench.try_serve(&options), Err(LiveError::Listen { .. })));
}

/// Nothing of it stays behind: the file closes, and the address is free again.
#[test]
fn it_stops_with_the_detector() {
    let mut served = Served::new(LIMIT);
    let mut client = served.client();
    assert_eq!(client.remote("SELECT 1"), Ok(json!([[1]])));
    assert_eq!(served.bench.sql("SELECT count(*) FROM resources").trim(), "2");
    client.remote("SELECT 1").expect_err("nobody serves it");
    drop(std::net::TcpListener::bind(served.address).expect("a free address"));
}

#[test]
fn readers_go_on_while_columns_come() {
    let with = |id: &str, attributes: Value| seen(None, id, json!({ "attributes": attributes }));
    let mut served = Served::new(LIMIT);
    served.bench.send(&[with("i-0", json!({"n": 0}))]);
    let mut client = served.client();
    assert_eq!(client.sql("SELECT id, n FROM elava.ec2_instance WHERE n = 0"), Ok(json!([["i-0", 0]])));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut asked = 0;
            while !done.load(Ordering::Relaxed) {
                let answer = client.remote("SELECT count(*), count(COLUMNS(*)) FROM ec2_instance");
                assert!(answer.is_ok(), "{answer:?}");
                asked += 1;
            }
            (asked, client)
        });
        for n in 0..40 {
            let widened = if n % 3 == 0 { json!("x") } else { json!(n) };
            served
                .bench
                .send(&[with(&format!("i-{n}"), json!({"n": n, format!("c{n}"): n, format!("c{}", n / 2): widened}))]);
        }
        done.store(true, Ordering::Relaxed);
        let (asked, mut client) = reader.join().expect("every question was answered");
        assert!(asked > 0);
        assert_eq!(client.remote("SELECT id, c39 FROM ec2_instance WHERE c39 IS NOT NULL"), Ok(json!([["i-39", 39]])));
        // a type that comes after the client
        let other = json!({"key": "aws/1/r/rds:db/x", "attributes": {"z": 1}});
        let page = served.bench.page(&[json!({"kind": "observation", "v": 1, "resource": other})]);
        served.bench.handle(&Batch { source: Source::Pipe, pages: vec![page] });
        assert_eq!(client.remote("SELECT id FROM rds_db"), Ok(json!([["x"]])));
    });
}

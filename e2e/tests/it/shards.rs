//! A history in several files, written by several detectors: what is asked of any of them is answered as by one file.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use chrono::{TimeDelta, Utc};
use duckdb::Connection;
use elava_bus::{Client, NatsOptions};
use elava_e2e::{Pipeline, Server, binary, checkout, free_port, publish, server, until};
use elava_schemas::micros;

use crate::crashes::{history, scans};
use crate::{decision_ids, settled, settled_of};

const SHARDS: u16 = 4;
const TOKEN: &str = "a-token-of-the-tests-0123456789";

/// Asked by name; answered by any detector.
const QUESTIONS: &[&[&str]] = &[
    &["resources", "--limit", "100000"],
    &["resources", "--type", "ec2:vol*", "--tag", "Owner=team-3", "--limit", "100000"],
    &["changes", "--since", "7d", "--limit", "100000"],
    &["diff", "59m", "20m"],
    &["history", "r-003-00011"],
    &["audit", "r-003-00011"],
    &["audit", "r-000-00002"],
    &["explain", "r-003-00011"],
    &["explain", "r-000-00002"],
    &["violations"],
    &["cost", "--by", "account"],
    &["coverage"],
    &["flapping", "--since", "7d", "--at-least", "2"],
    &["orphans"],
];

/// Asked in SQL.
const STATEMENTS: &[&str] = &[
    "SELECT count(*) FROM versions",
    "SELECT account, type, count(*) FROM resources_at('20m') GROUP BY ALL ORDER BY ALL",
    "SELECT change, count(*) FROM changes_since('7d') WHERE NOT baseline GROUP BY ALL ORDER BY ALL",
    "SELECT key, size FROM ec2_volume ORDER BY key LIMIT 10",
    "SELECT d.action, count(*) FROM decisions d JOIN keys k USING (resource_id) GROUP BY ALL ORDER BY ALL",
    "SELECT outcome, count(*) FROM deliveries GROUP BY ALL ORDER BY ALL",
    "SELECT count(*) FROM deliveries",
    "SELECT count(*) FROM approvals",
    "WITH gone AS (FROM disappeared_since('7d')) SELECT g.key FROM gone g JOIN resources r USING (key) ORDER BY ALL",
    "SELECT key FROM history('r-004-00011') ORDER BY ALL",
    "FROM coverage SELECT * EXCLUDE (age) ORDER BY ALL",
    "SELECT key, step, happened_at, rule, details ->> 'version' FROM replay('7d', 'now')",
    "SELECT sum(versions) FROM replay_size('7d', 'now')",
    "SELECT r.type, (SELECT count(*) FROM change_log c WHERE c.type = r.type) FROM resources r GROUP BY ALL ORDER BY ALL",
];

/// What is not answered, and what is said.
const REFUSED: [(&str, &str); 6] = [
    ("FROM range(3) r(n), history(n::VARCHAR)", "must be constants"),
    ("FROM nothing", "nothing does not exist"),
    ("FROM \"it's\"", "it's does not exist"),
    ("SELECT getvariable('now') FROM resources", "the function getvariable() is not served"),
    ("FROM elava_results.main.part_1_0", "rows of part_1_0 are not served"),
    ("FROM resources r, quack_query('quack:127.0.0.1:1', 'SELECT 1') q", "rows of quack_query() are not served"),
];

/// As shards ask one another, which any client can do but for `elava`.
const REFUSED_OF_ONE: [(&str, &str); 2] = [
    ("/* elava shard 0 */ DROP TABLE keys", "Authorization failed"),
    ("/* elava shard 0 */ FROM read_text('/etc/passwd')", "rows of read_text() are not served"),
];

/// What is said to a client that is not ours.
fn refusal(address: &str, statement: &str) -> String {
    let connection = Connection::open_in_memory().expect("a database");
    for name in ["httpfs", "quack"] {
        let file = checkout().join(format!(".local/duckdb/{name}.duckdb_extension"));
        connection.execute_batch(&format!("LOAD '{}'", file.display())).expect("an extension");
    }
    let statement = statement.replace('\'', "''");
    let asked = format!("FROM quack_query('quack:{address}', '{statement}', token = '{TOKEN}', disable_ssl = true)");
    connection.execute_batch(&asked).expect_err(&statement).to_string()
}

fn elava(arguments: &[&str], extra: &[&str]) -> Output {
    Command::new(binary("elava"))
        .args(arguments)
        .args(extra)
        .env("ELAVA_SQL_TOKEN", TOKEN)
        .env("ELAVA_SQL_EXTENSION", checkout().join(".local/duckdb/quack.duckdb_extension"))
        .env_remove("ELAVA_DB")
        .output()
        .expect("elava runs")
}

/// The lines of an answer.
fn lines(arguments: &[&str], extra: &[&str]) -> Vec<String> {
    let output = elava(arguments, extra);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

/// Everything that is asked, with its answer, in a fixed order where the question has none.
fn answers(by_name: &[&str], in_sql: &[&str]) -> Vec<(String, Vec<String>)> {
    let named = QUESTIONS.iter().map(|question| {
        let mut answer = lines(question, &[&["--json"], by_name].concat());
        answer.iter_mut().for_each(|line| *line = without_our_clock(line));
        (question.join(" "), answer)
    });
    named.chain(statements(in_sql)).chain([numbers(by_name)]).collect()
}

/// The big numbers of a report, which asks what no other command does, too.
fn numbers(by_name: &[&str]) -> (String, Vec<String>) {
    let page = lines(&["report", "--since", "1d"], by_name);
    // how the cost went depends on when it is asked
    let tiles = page.iter().filter(|line| line.contains("class=\"tile\"") && !line.contains("monthly cost"));
    ("report".to_owned(), tiles.map(|line| without_times(line)).collect())
}

/// Without what looks like a time: `2026-11-29 07:12`.
fn without_times(line: &str) -> String {
    let is_time = |part: &str| part.contains(':') || part.matches('-').count() == 2;
    line.split([' ', '<', '>']).filter(|part| !is_time(part)).collect::<Vec<_>>().join(" ")
}

/// The statements alone.
fn statements(in_sql: &[&str]) -> Vec<(String, Vec<String>)> {
    STATEMENTS.iter().map(|statement| ((*statement).to_owned(), lines(&["sql", "--json", statement], in_sql))).collect()
}

/// Without what depends on when this test ran.
fn without_our_clock(line: &str) -> String {
    let mut row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).expect("a row");
    row.remove("age_seconds");
    if row.get("step").is_some_and(|step| step == "delivery") {
        row.remove("happened_at");
    }
    serde_json::Value::from(row).to_string()
}

/// A nats-server and all stages; detectors with these flags, one for each address of SQL.
fn started(shards: u16, addresses: &[String]) -> (Server, Pipeline) {
    let server = server();
    let mut pipeline = Pipeline::new(server.url());
    for address in addresses {
        start_detector(&mut pipeline, shards, address);
    }
    for stage in ["enforcer", "decider", "notifier"] {
        pipeline.start(stage, &[]);
    }
    (server, pipeline)
}

fn start_detector(pipeline: &mut Pipeline, shards: u16, address: &str) {
    let extension = checkout().join(".local/duckdb/quack.duckdb_extension").display().to_string();
    let token = pipeline.db().with_file_name("token").display().to_string();
    std::fs::write(&token, TOKEN).expect("the folder can be written");
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("permissions");
    let shards = shards.to_string();
    let flags = ["--shards", &shards, "--sql-addr", address, "--sql-token-file", &token, "--sql-extension", &extension];
    pipeline.start("detector", &flags);
}

fn address() -> String {
    format!("127.0.0.1:{}", free_port())
}

/// Until all shards are served by both detectors, and each at the address that people know.
async fn served(url: &str, addresses: &[String]) {
    until("all shards are served", async || {
        let Ok(client) = Client::connect(&NatsOptions::new(url)).await else { return false };
        let groups = client.groups("detector").await.unwrap_or_default();
        let holders: BTreeSet<&str> = groups.values().map(|group| group.instance.as_str()).collect();
        let are_told = groups.values().all(|group| group.about.is_some());
        let are_reached = addresses.iter().all(|address| std::net::TcpStream::connect(address).is_ok());
        groups.len() == usize::from(SHARDS) && are_told && holders.len() == 2 && are_reached
    })
    .await;
}

fn assert_same(found: &[(String, Vec<String>)], expected: &[(String, Vec<String>)], where_from: &str) {
    for ((question, found), (_, expected)) in found.iter().zip(expected) {
        let differs = found.iter().zip(expected).find(|(found, expected)| found != expected);
        assert_eq!(differs, None, "{where_from}: {question}");
        assert_eq!(found.len(), expected.len(), "{where_from}: {question}");
    }
}

/// The statements, over exported Parquet.
fn over_an_export(folder: &Path) -> Vec<(String, Vec<String>)> {
    let connection = Connection::open_in_memory().expect("a database");
    let history = format!("SET VARIABLE history = '{}';", folder.display());
    let script = std::fs::read_to_string(folder.join("history.sql")).expect("the script is there");
    connection.execute_batch(&(history + &script)).expect("it runs");
    let without_types = STATEMENTS.iter().filter(|statement| !statement.contains("ec2_volume"));
    let asked = without_types.map(|statement| {
        let sql = format!("SELECT CAST(to_json(answer) AS VARCHAR) FROM ({statement}) answer");
        let mut statement_of = connection.prepare(&sql).expect(statement);
        let rows = statement_of.query_map([], |row| row.get(0)).expect(statement);
        ((*statement).to_owned(), rows.collect::<Result<_, _>>().expect(statement))
    });
    asked.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_are_one_history() {
    let scans = scans(micros(Utc::now() - TimeDelta::hours(1)));

    let only = address();
    let (server, mut pipeline) = started(1, std::slice::from_ref(&only));
    for lines in &scans {
        publish(&server.url(), lines).await;
    }
    settled(&server.url()).await;
    let url = server.url();
    let expected = answers(&["--nats", &url], &["--sql-addr", &only]);
    assert!(expected.iter().filter(|(_, answer)| answer.is_empty()).count() <= 1, "most have an answer");
    let ids = decision_ids(&url).await;
    pipeline.stop();
    let whole = history(&pipeline.db());

    // two detectors, one of which is killed half-way, and a third
    let addresses = [address(), address()];
    let (server, mut pipeline) = started(SHARDS, &addresses);
    let url = server.url();
    for (number, lines) in scans.iter().enumerate() {
        publish(&url, lines).await;
        match number {
            1 => pipeline.kill("detector"),
            2 => start_detector(&mut pipeline, SHARDS, &addresses[0]),
            _ => {}
        }
    }
    served(&url, &addresses).await;
    settled_of(&url, SHARDS).await;
    assert_eq!(decision_ids(&url).await, ids);
    for address in &addresses {
        assert_same(&answers(&["--nats", &url], &["--sql-addr", address]), &expected, address);
    }
    for (statement, expected) in REFUSED {
        let refused = elava(&["sql", statement], &["--sql-addr", &addresses[0]]);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains(expected) && !said.contains(TOKEN), "{statement}: {said}");
    }
    for (statement, expected) in REFUSED_OF_ONE {
        let said = refusal(&addresses[0], statement);
        assert!(said.contains(expected), "{statement}: {said}");
    }
    for to in ["lake", "copy.duckdb"] {
        lines(&["export", "--to", to], &["--nats", &url]);
    }
    let status = lines(&["status"], &["--nats", &url]).join("\n");
    assert!(status.contains("at work") && status.contains("versions"), "{status}");
    pipeline.terminate("detector");
    pipeline.terminate("detector");

    // files that nobody holds
    let db = pipeline.db();
    let file = db.to_str().expect("text");
    assert!(!db.exists() && db.with_file_name("history-1-of-4.duckdb").exists());
    assert_same(&answers(&["--db", file], &["--db", file]), &expected, "files");
    let exports = db.with_file_name("export");
    let copy = exports.join("copy.duckdb");
    let copy = copy.to_str().expect("text");
    let mut of_statements = expected[QUESTIONS.len()..].to_vec();
    assert_same(&statements(&["--db", copy]), &of_statements, "a copy");
    of_statements.retain(|(asked, _)| !asked.contains("ec2_volume"));
    assert_same(&over_an_export(&exports.join("lake")), &of_statements, "Parquet");

    // the wrong number is refused, and changed
    let detector = |arguments: &[&str]| {
        Command::new(binary("elava-detector")).args(arguments).args(["--db", file]).output().expect("it runs")
    };
    let refused = detector(&["--nats", &url, "--shards", "2", "--health-addr", "off"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is of a history in 4 shards, not in 2"), "{refused:?}");
    let resharded = detector(&["reshard", "--to", "1"]);
    assert!(resharded.status.success(), "{}", String::from_utf8_lossy(&resharded.stderr));
    for (found, expected) in history(&db).iter().zip(&whole) {
        let differs = found.iter().zip(expected).find(|(found, expected)| found != expected);
        assert_eq!((differs, found.len()), (None, expected.len()), "one file again");
    }

    // and goes on where it was, in two
    assert!(detector(&["reshard", "--to", "2"]).status.success());
    start_detector(&mut pipeline, 2, &addresses[0]);
    publish(&url, &scans[2]).await;
    settled_of(&url, 2).await;
    pipeline.stop();
    let found = statements(&["--db", file]);
    assert_same(&found[..2], &expected[QUESTIONS.len()..][..2], "the same resources");
    let rebuilt = db.with_file_name("rebuilt.duckdb");
    let output = Command::new(binary("elava-detector"))
        .args(["rebuild", "--nats", &url, "--shards", "2", "--db"])
        .arg(&rebuilt)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rebuilt = rebuilt.to_str().expect("text");
    assert_same(&statements(&["--db", rebuilt]), &found, "rebuilt");
}

//! Exports of a running pipeline, which goes on detecting and serving SQL meanwhile.

use std::path::Path;
use std::process::{Command, Output};

use chrono::{TimeDelta, Utc};
use elava_e2e::{Pipeline, STAGES, binary, checkout, dump, free_port, publish, scalar, server, until};
use elava_schemas::micros;

use crate::crashes::scans;
use crate::settled;

fn elava(url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary("elava"));
    command.args(arguments).args(["--nats", url]).env_remove("ELAVA_DB");
    command.output().expect("elava runs")
}

async fn asked(url: &str, arguments: &[&str]) -> Output {
    let (url, arguments) = (url.to_owned(), arguments.iter().map(|&one| one.to_owned()).collect::<Vec<_>>());
    let ask = move || elava(&url, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(ask).await.expect("asked")
}

/// An export while everything runs, once it is its turn.
async fn export(url: &str, to: &str) {
    until("an export", async || {
        let output = asked(url, &["export", "--json", "--to", to]).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let waits = said.contains("an export is being made already");
        assert!(waits || output.status.success(), "{said}");
        assert_eq!(output.status.success(), String::from_utf8_lossy(&output.stdout).contains("\"table\":\"total\""));
        output.status.success()
    })
    .await;
}

/// Runs SQL over an export folder.
fn over(folder: &Path, sql: &str) -> Vec<String> {
    let connection = duckdb::Connection::open_in_memory().expect("a database");
    let script = std::fs::read_to_string(folder.join("history.sql")).expect("a script");
    let place = format!("SET VARIABLE history = '{}';", folder.display());
    connection.execute_batch(&(place + &script)).expect("the script runs");
    let mut statement = connection.prepare(&format!("SELECT to_json(row)::VARCHAR FROM ({sql}) AS row")).expect(sql);
    let rows = statement.query_map([], |row| row.get(0)).expect(sql);
    rows.collect::<Result<_, _>>().expect(sql)
}

/// Changes whose versions are not there, and resources without one: there must be none at any moment.
const TORN: &str = "SELECT c.id FROM changes c
        ANTI JOIN all_versions v ON v.resource_id = c.resource_id AND v.version = c.current_version
        WHERE c.current_version IS NOT NULL
    UNION ALL SELECT c.id FROM changes c
        ANTI JOIN closed v ON v.resource_id = c.resource_id AND v.version = c.previous_version AND v.valid_to = c.detected_at
        WHERE c.previous_version IS NOT NULL
    UNION ALL SELECT v.scan_id FROM all_versions v ANTI JOIN keys USING (resource_id)";

const TABLES: [&str; 7] = ["keys", "current", "closed", "changes", "scans", "violations", "decisions"];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exports_show_one_moment_while_the_pipeline_works() {
    let server = server();
    let url = server.url();
    let mut pipeline = Pipeline::new(url.clone());
    let address = format!("127.0.0.1:{}", free_port());
    let extension = checkout().join(".local/duckdb/quack.duckdb_extension").display().to_string();
    for stage in STAGES {
        let live = ["--sql-addr", &address, "--sql-extension", &extension];
        pipeline.start(stage, if stage == "detector" { &live } else { &[] });
    }
    until("an answer", async || asked(&url, &["coverage"]).await.status.success()).await;
    let root = pipeline.db().with_file_name("export");
    let mut copies = Vec::new();
    for (number, lines) in scans(micros(Utc::now() - TimeDelta::hours(30))).iter().enumerate() {
        publish(&url, lines).await;
        // in the middle of it
        let copy = format!("{number}.duckdb");
        let question = asked(&url, &["coverage", "--json"]);
        let ((), (), answer) = tokio::join!(export(&url, &copy), export(&url, "lake"), question);
        assert!(answer.status.success(), "questions are answered meanwhile: {answer:?}");
        assert_eq!(over(&root.join("lake"), TORN), [""; 0]);
        copies.push(root.join(copy));
    }
    settled(&url).await;
    export(&url, "lake").await;
    export(&url, "last.duckdb").await;
    assert!(pipeline.log("detector").contains("live SQL is served"), "with live SQL on");
    pipeline.stop();

    for copy in &copies {
        assert_eq!(dump(copy, TORN), [""; 0]);
    }
    for table in TABLES {
        let sql = format!("SELECT * FROM {table} ORDER BY ALL");
        let expected = dump(&pipeline.db(), &sql);
        assert!(!expected.is_empty(), "{table}");
        assert!(dump(&root.join("last.duckdb"), &sql) == expected, "{table} of the copy");
        assert!(over(&root.join("lake"), &sql) == expected, "{table} of the folder");
    }
    // three scans of nine scopes: detection went on
    assert_eq!(scalar(&pipeline.db(), "SELECT count(*) FROM scans WHERE verdict = 'proved'"), 27);

    let last = root.join("last.duckdb").display().to_string();
    let answer = elava(&url, &["summary", "--json", "--db", &last]);
    assert!(answer.status.success(), "{answer:?}");
    let nobody = elava(&url, &["export", "--to", "lake"]);
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("is the stage running?"), "{nobody:?}");
}

//! A history rebuilt from the streams is the one that was written from them.

use std::path::Path;
use std::process::{Command, Output};

use chrono::{TimeDelta, Utc};
use elava_e2e::{binary, dump, publish, scalar};
use elava_schemas::micros;

use crate::crashes::{history, scans};
use crate::{settled, started};

fn rebuild(url: &str, db: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(binary("elava-detector"));
    command.args(["rebuild", "--nats", url, "--log-format", "text", "--db"]).arg(db).args(more);
    command.output().expect("elava-detector runs")
}

/// All tables but those that say how far a reader is.
const TABLES: [&str; 10] = [
    "keys",
    "current",
    "scans",
    "changes",
    "violations",
    "policy_errors",
    "decisions",
    "approvals",
    "executions",
    "deliveries",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuilt_history_is_the_same_row_for_row() {
    let (server, mut pipeline) = started();
    for lines in scans(micros(Utc::now() - TimeDelta::hours(1))) {
        publish(&server.url(), &lines).await;
        settled(&server.url()).await;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let rebuilt = folder.path().join("rebuilt.duckdb");
    // beside the detector that runs
    let output = rebuild(&server.url(), &rebuilt, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    pipeline.stop();

    assert_eq!(history(&rebuilt), history(&pipeline.db()));
    // but for the numbers of transactions: batches are cut by what is there at the time
    for table in TABLES.into_iter().chain(["(SELECT * EXCLUDE (closed_in) FROM closed)"]) {
        let rows = |db: &Path| dump(db, &format!("SELECT * FROM {table} ORDER BY ALL"));
        let (found, expected) = (rows(&rebuilt), rows(&pipeline.db()));
        let differs = found.iter().zip(&expected).find(|(found, expected)| found != expected);
        assert_eq!((differs, found.len()), (None, expected.len()), "{table}");
    }

    let again = rebuild(&server.url(), &rebuilt, &[]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("exists already"), "{again:?}");

    let late = folder.path().join("late.duckdb");
    let output = rebuild(&server.url(), &late, &["--from", "2100-01-01T00:00:00Z"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(scalar(&late, "SELECT count(*) FROM keys"), 0);
    assert!(String::from_utf8_lossy(&output.stderr).contains("the history is empty"), "{output:?}");

    let nowhere = folder.path().join("nowhere.duckdb");
    for (url, more, why) in [
        ("nats://127.0.0.1:1", &[][..], "cannot connect to NATS"),
        (&server.url(), &["--from", "24h"][..], "a time is written as in"),
    ] {
        let output = rebuild(url, &nowhere, more);
        assert!(!output.status.success() && !nowhere.exists());
        assert!(String::from_utf8_lossy(&output.stderr).contains(why), "{output:?}");
    }
}

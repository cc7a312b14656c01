//! One estate, over a plain pipe and over JetStream: the same changes and the same decisions.

use elava_e2e::{Moto, changes, decisions, dump, pipe, publish, stored};

use crate::{settled, started};

/// The five stages as a person types them; what each writes is kept beside.
const PIPE: &str = "elava-detector --db pipe.duckdb < OBSERVED \
    | elava-enforcer --policies $POLICIES | elava-decider --state findings.json | tee -a decided | elava-notifier --format ndjson > told";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipe_and_stream_agree() {
    let moto = Moto::start();
    moto.estate("seed");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let observe = |to: &str| {
        let script =
            format!("elava-observer --once --regions us-east-1,eu-west-1 --endpoint-url {} > {to}", moto.url());
        let (_, err, code) = pipe(folder.path(), &script);
        assert_eq!(code, 0, "{err}");
    };
    observe("first");
    for step in ["launch", "drift", "open-ssh", "delete-blessed", "orphan"] {
        moto.estate(step);
    }
    observe("second");

    let (server, mut pipeline) = started();
    for scan in ["first", "second"] {
        let (_, err, code) = pipe(folder.path(), &PIPE.replace("OBSERVED", scan));
        assert_eq!(code, 0, "{err}");
        let text = std::fs::read_to_string(folder.path().join(scan)).expect("the scan");
        publish(&server.url(), &text.lines().map(str::to_owned).collect::<Vec<_>>()).await;
        settled(&server.url()).await;
    }
    let over_stream = decision_lines(stored(&server.url(), "DECISION", "elava.decision.>").await);
    pipeline.stop();

    let piped = folder.path().join("pipe.duckdb");
    assert_eq!(changes(&piped), changes(&pipeline.db()), "changes");
    for sql in ["SELECT * FROM versions ORDER BY key, valid_from", "SELECT * FROM changes ORDER BY id"] {
        assert_eq!(dump(&piped, sql), dump(&pipeline.db(), sql), "{sql}");
    }
    assert!(!decisions(&pipeline.db()).is_empty());
    let decided = std::fs::read_to_string(folder.path().join("decided")).expect("decisions");
    let decided = decided.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(decision_lines(decided), over_stream, "decisions, with their ids");
}

fn decision_lines(rows: Vec<serde_json::Value>) -> Vec<String> {
    let decision = |row: &serde_json::Value| row["kind"] == "decision";
    let mut lines: Vec<String> = rows
        .iter()
        .filter(|row| decision(row))
        .map(|row| format!("{} {} {}", row["id"], row["action"], row["reason"]))
        .collect();
    lines.sort();
    lines
}

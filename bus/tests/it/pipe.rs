//! A stage as a filter: what it cannot handle goes aside line by line, and the exit status says so.

use std::io::Cursor;
use std::path::Path;

use clap::Parser;
use elava_bus::cli::Finished;
use elava_bus::{BusError, filter};
use expect_test::expect;

use crate::Args;
use crate::copier::{Copier, observation};

/// Runs the stage over these lines: how it ended, the ids of what it wrote, its dead letters.
async fn piped(lines: &[Vec<u8>]) -> (Result<Finished, BusError>, Vec<String>, Vec<String>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dead = folder.path().join("dead.ndjson");
    let args = Args::parse_from(["test", "--dead-letters", dead.to_str().expect("a path")]).bus;
    let mut output = Vec::new();
    let finished = filter(&args, Copier::default(), Cursor::new(lines.join(&b"\n"[..])), &mut output).await;
    let ids = rows(&output).iter().map(|row| row["id"].as_str().unwrap_or("-").to_owned()).collect();
    (finished, ids, letters(&dead))
}

fn rows(text: &[u8]) -> Vec<serde_json::Value> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect()
}

fn letters(file: &Path) -> Vec<String> {
    let rows = rows(&std::fs::read(file).unwrap_or_default());
    let letter = |row: &serde_json::Value| {
        let id = row["body"].as_str().and_then(|body| body.rsplit("\"id\":\"").next()).unwrap_or_default();
        format!("{} {} {}", row["line"], row["reason"], id.split('"').next().unwrap_or_default())
    };
    rows.iter().map(letter).collect()
}

fn line(id: &str) -> Vec<u8> {
    observation(0, id).to_line()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_costs_its_line_and_nothing_else() {
    let mut lines: Vec<Vec<u8>> = (1..=450).map(|number| line(&format!("i-{number}"))).collect();
    lines[2] = line("panic-3");
    lines[9] = b"not json".to_vec();
    lines[10] = Vec::new();
    lines[320] = line("panic-321");
    let (finished, ids, letters) = piped(&lines).await;
    assert_eq!(finished.expect("goes on"), Finished::SomeRejected, "the exit status says so");
    let good = (1..=450).filter(|number| ![3, 10, 11, 321].contains(number));
    assert_eq!(ids, good.map(|number| format!("chg_i-{number}")).collect::<Vec<_>>(), "all others, once, in order");
    expect![[r#"
        3 "failed 5 times: cannot handle the input: panicked: told to" panic-3
        10 "not a message: expected a JSON object" not json
        321 "failed 5 times: cannot handle the input: panicked: told to" panic-321"#]]
    .assert_eq(&letters.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_unavailable_for_a_moment_is_waited_for() {
    let (finished, ids, letters) = piped(&[line("i-1"), line("flaky-2"), line("i-3")]).await;
    assert_eq!((finished.expect("goes on"), letters), (Finished::Clean, Vec::new()));
    assert_eq!(ids, ["chg_i-1", "chg_flaky-2", "chg_i-3"]);
}

//! The whole flow: pipe and stream alike, a day of operations, crashes, bad input.

mod access;
mod bad_input;
mod chaos;
mod crashes;
mod day;
mod export;
mod instances;
mod nats_cli;
mod observer;
mod observers;
mod rebuild;
mod same;
mod traces;

use elava_e2e::{Pipeline, Server, stored, until};

/// The partitions that all stages together read.
const READ: usize = 113;

/// Waits until every stage has handled everything: nothing pending, nothing in progress, several times
/// in a row.
async fn settled(url: &str) {
    let options = elava_bus::NatsOptions::new(url);
    let client = elava_bus::Client::connect(&options).await.expect("NATS is there");
    let quiet = std::cell::Cell::new(0);
    until("the end of the flow", async || {
        // A partition that nobody has begun to read, or begins to read again, is missing or not read.
        let progress = client.progress().await.expect("progress");
        let idle = progress.iter().all(|one| one.reading && one.pending == 0 && one.in_progress == 0);
        quiet.set(if idle && progress.len() == READ { quiet.get() + 1 } else { 0 });
        quiet.get() >= 6
    })
    .await;
}

/// Ids of all decisions on the stream, sorted; asserts that none is there twice.
async fn decision_ids(url: &str) -> Vec<String> {
    let mut ids: Vec<String> = stored(url, "DECISION", "elava.decision.>")
        .await
        .iter()
        .map(|decision| decision["id"].as_str().expect("an id").to_owned())
        .collect();
    ids.sort();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count, "no decision is stored twice");
    ids
}

/// A server and all stages at work on it.
fn started() -> (Server, Pipeline) {
    let server = Server::start();
    let pipeline = Pipeline::started(server.url());
    (server, pipeline)
}

//! The whole flow: pipe and stream alike, a day of operations, crashes, bad input.

mod access;
mod bad_input;
mod chaos;
mod crashes;
mod day;
mod executor;
mod export;
mod instances;
mod mass;
mod nats_cli;
mod observer;
mod observers;
mod policies;
mod rebuild;
mod same;
mod shards;
mod together;
mod traces;

use std::time::{Duration, Instant};

use elava_bus::{Client, NatsOptions, Progress};
use elava_e2e::{Pipeline, Server, server, stored, until};

/// How long nothing must happen: what a scan has opened is told when it has settled.
const QUIET: Duration = Duration::from_millis(1500);

/// Waits until every stage has handled everything: nothing pending, nothing in progress, for a while.
async fn settled(url: &str) {
    settled_of(url, 1).await;
}

/// The same, where the history is in so many shards.
async fn settled_of(url: &str, shards: u16) {
    settled_for(&Client::connect(&NatsOptions::new(url)).await.expect("NATS is there"), shards).await;
}

/// The same, as this client sees it.
async fn settled_for(client: &Client, shards: u16) {
    let quiet = std::cell::Cell::new(None);
    until("the end of the flow", async || {
        let progress = client.progress().await.expect("progress");
        let is_idle = Progress::are_idle(&progress, shards);
        quiet.set(is_idle.then(|| quiet.get().unwrap_or_else(Instant::now)));
        quiet.get().is_some_and(|since| since.elapsed() >= QUIET)
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
    let server = server();
    let pipeline = Pipeline::started(server.url());
    (server, pipeline)
}

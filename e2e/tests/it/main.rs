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
use elava_e2e::{Pipeline, Server, server, stored, until, waits};

/// How long nothing must happen, and how often it must have been looked at meanwhile.
const QUIET: (Duration, u32) = (Duration::from_millis(2500), 4);

/// Waits until every stage has handled everything: nothing pending, nothing in progress, nothing put off, for a while.
async fn settled(url: &str) {
    settled_of(url, 1).await;
}

/// The same, where the history is in so many shards.
async fn settled_of(url: &str, shards: u16) {
    settled_for(&Client::connect(&NatsOptions::new(url)).await.expect("NATS is there"), shards, async || {
        waits(url).await
    })
    .await;
}

/// The same, as this client sees it, which need not be allowed to see what is put off.
async fn settled_for(client: &Client, shards: u16, waits: impl AsyncFn() -> bool) {
    let quiet = std::cell::Cell::new(None);
    until("the end of the flow", async || {
        let progress = client.progress().await;
        let is_idle = progress.is_ok_and(|progress| Progress::are_idle(&progress, shards)) && !waits().await;
        let (since, looks) = quiet.get().unwrap_or_else(|| (Instant::now(), 0));
        quiet.set(is_idle.then_some((since, looks + 1)));
        is_idle && since.elapsed() >= QUIET.0 && looks >= QUIET.1
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

//! The stage contract, held against a real nats-server: nothing lost, nothing twice, bad rows aside.

mod access;
mod client;
mod copier;
mod delivery;
mod groups;
mod leases;
mod limits;
mod pipe;
mod positions;
mod requests;
mod room;
mod storage;
mod time;
mod tls;
mod together;

use std::time::{Duration, Instant};

use async_nats::jetstream;
use clap::Parser;
use elava_bus::cli::{Finished, StageArgs};
use elava_bus::{BusError, Client, Sink, Stage};
use elava_harness::{Server, Setup};
use elava_schemas::Message;

use copier::observation;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    bus: StageArgs,
}

/// A server of a test's own.
fn server() -> Server {
    start(Setup::default())
}

fn start(setup: Setup<'_>) -> Server {
    Server::start(setup).expect("nats-server starts")
}

/// How long a lease lasts: longer than a busy machine keeps anybody waiting.
const CALM: &str = "10s";

/// For those that are killed many times and are not told by which of them something was done.
const BRIEF: &str = "1s";

fn args(server: &Server) -> StageArgs {
    args_with(server, CALM)
}

fn args_with(server: &Server, lease_ttl: &str) -> StageArgs {
    Args::parse_from(["test", "--nats", &server.url(), "--health-addr", "off", "--lease-ttl", lease_ttl]).bus
}

async fn client(server: &Server) -> Client {
    Client::connect(&args(server).nats_options().expect("a server")).await.expect("connects")
}

fn run(server: &Server, stage: &(impl Stage + Clone)) -> tokio::task::JoinHandle<Result<Finished, BusError>> {
    run_with(server, stage, CALM)
}

fn run_with(
    server: &Server,
    stage: &(impl Stage + Clone),
    lease_ttl: &str,
) -> tokio::task::JoinHandle<Result<Finished, BusError>> {
    let (args, stage) = (args_with(server, lease_ttl), stage.clone());
    tokio::spawn(async move { elava_bus::run(&args, stage).await })
}

/// Publishes as an observer does, and waits until all is stored.
async fn publish(server: &Server, messages: Vec<Message>) {
    let sink = Sink::open("test", &args(server)).await.expect("opens");
    sink.send(messages).await.expect("sends");
    sink.flush().await.expect("stores");
}

/// So many resources in each of so many scopes.
async fn publish_scopes(server: &Server, scopes: usize, count: usize) {
    let rows = |scope| (0..count).map(move |row| observation(scope, &format!("i-{scope}-{row:05}")));
    publish(server, (0..scopes).flat_map(rows).collect()).await;
}

async fn jetstream(server: &Server) -> jetstream::Context {
    jetstream::new(async_nats::connect(server.url()).await.expect("connects"))
}

/// Every change id stored so far, in stream order.
async fn changes(server: &Server) -> Vec<String> {
    let rows = stored(server, "CHANGE", "elava.change.>").await;
    rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
}

/// Every row stored so far under `filter`, in stream order.
async fn stored(server: &Server, stream: &str, filter: &str) -> Vec<serde_json::Value> {
    let mut rows = Vec::new();
    let js = jetstream(server).await;
    elava_harness::rows(&js, stream, filter, |row| rows.push(row)).await.expect("the stream can be read");
    rows
}

async fn until<F: AsyncFn() -> bool>(what: &str, done: F) {
    let begun = Instant::now();
    while !done().await {
        assert!(begun.elapsed() < Duration::from_secs(180), "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

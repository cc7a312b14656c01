//! Putting messages on the bus and reading what is stored there.

use std::time::Duration;

use async_nats::jetstream::context::{Context, ContextBuilder};
use async_nats::{Client, ConnectOptions, Subscriber};
use clap::Parser;
use elava_bus::Sink;
use elava_bus::cli::StageArgs;
use elava_schemas::Message;
use futures::StreamExt as _;
use serde_json::Value;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    bus: StageArgs,
}

/// Publishes lines as an observer does, and waits until they are stored.
///
/// # Panics
/// When a line is no message, or cannot be stored.
pub async fn publish(url: &str, lines: &[String]) {
    let args = Args::parse_from(["e2e", "--nats", url]);
    let sink = Sink::open("e2e", &args.bus).await.expect("NATS is there");
    let messages = lines.iter().map(|line| Message::parse(line.as_bytes()).expect(line)).collect();
    sink.send(messages).await.expect("sends");
    sink.flush().await.expect("stores");
}

/// How long the server may take to answer: where tests run, others may run too.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection as any NATS client has one.
///
/// # Panics
/// When the server is not there.
pub async fn connect(url: &str) -> Client {
    let connect = ConnectOptions::new().connection_timeout(PATIENCE).request_timeout(Some(PATIENCE));
    connect.connect(url).await.expect("connects")
}

/// The server's streams.
///
/// # Panics
/// When it is not there.
pub async fn streams(url: &str) -> Context {
    ContextBuilder::new().timeout(PATIENCE).ack_timeout(PATIENCE).build(connect(url).await)
}

/// Publishes one body as any NATS client would, without a header, and waits until it is stored.
///
/// # Panics
/// When it cannot.
pub async fn publish_raw(url: &str, subject: &str, body: Vec<u8>) {
    let client = connect(url).await;
    client.request(subject.to_owned(), body.into()).await.expect("the stream acknowledges");
}

/// Every row stored in a stream under `filter`, in order.
///
/// # Panics
/// When the stream cannot be read.
pub async fn stored(url: &str, stream: &str, filter: &str) -> Vec<Value> {
    let js = streams(url).await;
    let mut rows = Vec::new();
    elava_harness::rows(&js, stream, filter, |row| rows.push(row)).await.expect("the stream can be read");
    rows
}

/// Whether something waits for a moment to come, all that is to be read having been: a finding for more of its scan, a
/// message for more of the same. It is stored before what led to it is acknowledged.
///
/// # Panics
/// When the state of the stages cannot be read.
pub async fn waits(url: &str) -> bool {
    let (js, mut waits) = (streams(url).await, false);
    let read = elava_harness::messages(&js, "KV_elava_state", "$KV.elava_state.>", 1, |_, message| {
        let (key, value) = (message.subject.as_str(), String::from_utf8_lossy(&message.payload));
        let settles = value.contains("\"settling\":{") || (key.ends_with(".judgement") && !value.is_empty());
        waits |= settles || (key.contains(".held.") && !value.is_empty());
    });
    read.await.expect("the state can be read");
    waits
}

/// What is published from now on, heard as it comes: sooner than what is stored can be asked for.
pub struct Heard {
    messages: Subscriber,
    /// The connection lasts as long as this does.
    _client: Client,
}

impl Heard {
    /// Begins to listen.
    ///
    /// # Panics
    /// When NATS is not there.
    pub async fn on(url: &str, subject: &'static str) -> Self {
        let client = connect(url).await;
        let messages = client.subscribe(subject).await.expect("subscribes");
        client.flush().await.expect("the server knows of it");
        Self { messages, _client: client }
    }

    /// Waits for the next message with this text.
    ///
    /// # Panics
    /// When none comes within ten minutes.
    pub async fn text(&mut self, sought: &str) {
        let next = async {
            while !String::from_utf8_lossy(&self.messages.next().await.expect("a message").payload).contains(sought) {}
        };
        tokio::time::timeout(Duration::from_secs(600), next).await.expect(sought);
    }
}

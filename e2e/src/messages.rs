//! Putting messages on the bus and reading what is stored there.

use async_nats::jetstream::{self, consumer::pull::OrderedConfig};
use clap::Parser;
use elava_bus::Sink;
use elava_bus::cli::StageArgs;
use elava_schemas::Message;
use futures::StreamExt;
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

/// Publishes one body as any NATS client would, without a header, and waits until it is stored.
///
/// # Panics
/// When it cannot.
pub async fn publish_raw(url: &str, subject: &str, body: Vec<u8>) {
    let client = async_nats::connect(url).await.expect("connects");
    client.request(subject.to_owned(), body.into()).await.expect("the stream acknowledges");
}

/// Every row stored in a stream under `filter`, in order.
///
/// # Panics
/// When the stream cannot be read.
pub async fn stored(url: &str, stream: &str, filter: &str) -> Vec<Value> {
    let js = jetstream::new(async_nats::connect(url).await.expect("connects"));
    let Ok(stream) = js.get_stream(stream).await else { return Vec::new() };
    let config = OrderedConfig { filter_subject: filter.to_owned(), ..OrderedConfig::default() };
    let consumer = stream.create_consumer(config).await.expect("a consumer");
    let mut left = consumer.cached_info().num_pending;
    let mut messages = consumer.messages().await.expect("messages");
    let mut rows = Vec::new();
    while left > 0 {
        let message = messages.next().await.expect("another").expect("a message");
        left = message.info().expect("an info").pending;
        let lines = message.payload.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        rows.extend(lines.map(|line| serde_json::from_slice::<Value>(line).expect("JSON")));
    }
    rows
}

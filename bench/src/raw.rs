//! What JetStream by itself needs for the same bytes: published and consumed at the same time, in
//! a stream with the same settings, by the same client library.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use elava_bus::Stream;
use futures::StreamExt;

use crate::estate::Page;
use crate::publish::publish;

const NAME: &str = "RAW";
/// Published under this, the subjects of the pages are no stage's.
const PREFIX: &str = "raw.";
/// Messages between acknowledgements, as a stage's batches have about.
const ACK_EVERY: usize = 16;

/// Publishes and consumes the pages once; says how long it took.
pub(crate) async fn round_trip(js: &Context, pages: &[Page]) -> anyhow::Result<Duration> {
    let mut config = js.get_stream(Stream::Observation.name()).await?.cached_info().config.clone();
    config.name = NAME.to_owned();
    config.subjects = vec![format!("{PREFIX}>")];
    config.subject_transform = None;
    let stream = js.create_stream(config).await?;
    let settings = pull::Config {
        durable_name: Some("raw".to_owned()),
        ack_policy: AckPolicy::All,
        max_ack_pending: 1000,
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer(settings).await?;

    let begun = Instant::now();
    tokio::try_join!(publish(js, pages, PREFIX, "raw"), consume(consumer, pages))?;
    let taken = begun.elapsed();
    js.delete_stream(NAME).await?;
    Ok(taken)
}

async fn consume(consumer: async_nats::jetstream::consumer::Consumer<pull::Config>, pages: &[Page]) -> anyhow::Result<()> {
    let mut messages = consumer.stream().max_bytes_per_batch(4 * 1024 * 1024).messages().await?;
    let mut bytes = 0;
    for number in 1..=pages.len() {
        let message = messages.next().await.context("the raw consumer ended")??;
        bytes += message.payload.len();
        let acknowledged = if number == pages.len() {
            message.double_ack().await
        } else if number.is_multiple_of(ACK_EVERY) {
            message.ack().await
        } else {
            Ok(())
        };
        acknowledged.map_err(|error| anyhow::anyhow!(error))?;
    }
    let sent: usize = pages.iter().map(|page| page.body.len()).sum();
    anyhow::ensure!(bytes == sent, "{bytes} bytes came back of {sent}");
    Ok(())
}

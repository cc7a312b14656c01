//! What JetStream by itself needs for the same bytes: published and consumed at the same time, in
//! a stream with the same settings, by the same client library.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
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
    // a limit would be reserved on top of the others
    config.max_bytes = -1;
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

/// Reads the last so many pages of a stream; says how long it took.
pub(crate) async fn read(js: &Context, stream: &str, pages: usize) -> anyhow::Result<Duration> {
    let mut stream = js.get_stream(stream).await?;
    let last = stream.info().await?.state.last_sequence;
    let settings = pull::OrderedConfig {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: last + 1 - pages as u64 },
        ..pull::OrderedConfig::default()
    };
    let mut messages = stream.create_consumer(settings).await?.messages().await?;
    let begun = Instant::now();
    for _ in 0..pages {
        messages.next().await.context("the raw consumer ended")??;
    }
    Ok(begun.elapsed())
}

async fn consume(
    consumer: async_nats::jetstream::consumer::Consumer<pull::Config>,
    pages: &[Page],
) -> anyhow::Result<()> {
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

#[cfg(test)]
mod tests {
    use async_nats::jetstream::stream;
    use elava_harness::{Server, Setup};
    use futures::TryStreamExt;

    use super::*;
    use crate::estate::{Changed, Estate};

    #[tokio::test]
    async fn pages_reach_every_partition_and_come_back() {
        let server = Server::start(Setup::default()).expect("starts");
        let js = async_nats::jetstream::new(async_nats::connect(server.url()).await.expect("connects"));
        let partitioned = stream::Config {
            name: Stream::Observation.name().to_owned(),
            subjects: vec!["elava.observation.*.*.*.*".to_owned()],
            subject_transform: Some(stream::SubjectTransform {
                source: "elava.observation.*.*.*.*".to_owned(),
                destination: "{{partition(16,1,2,3,4)}}.{{wildcard(1)}}".to_owned(),
            }),
            ..stream::Config::default()
        };
        let observation = js.create_stream(partitioned).await.expect("a stream");

        let pages = Estate::new(3200, elava_schemas::Timestamp::default()).scan(1, Changed { one_in: 0 });
        publish(&js, &pages, "", "1").await.expect("published");
        let subjects = observation.info_with_subjects(">").await.expect("subjects");
        let subjects: Vec<_> = subjects.try_collect::<Vec<_>>().await.expect("subjects");
        let pages_of_each = subjects.iter().map(|(_, pages)| *pages).collect::<Vec<_>>();
        assert_eq!(pages_of_each, [pages.len() / 16; 16], "{subjects:?}");

        round_trip(&js, &pages).await.expect("comes back");
    }
}

//! The durable consumers by which stages read: what they are called, how they are made, what each of them covers.

use std::time::Duration;

use async_nats::jetstream::consumer::pull::{Config, Stream as Messages};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, Info};
use tracing::debug;

use super::{Nats, NatsError};
use crate::Stream;
use crate::tenure::Share;

/// After how long without progress the server would deliver again.
const ACK_WAIT: Duration = Duration::from_secs(60);
/// The longest a pull waits on the server.
const EXPIRES: Duration = Duration::from_secs(30);
/// How often the server says that it still waits. Where a pull has been lost, the second time that it does not is noticed.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Messages of a partition that may be delivered and not acknowledged.
pub(super) const MAX_ACK_PENDING: i64 = 1000;

/// A consumer as it is to be made.
pub(super) struct Wanted {
    pub(super) stream: Stream,
    pub(super) name: String,
    pub(super) filters: Vec<String>,
    /// The last position that is not wanted.
    pub(super) after: u64,
    pub(super) max_ack_pending: i64,
    /// After how long the server forgets it when nobody uses it; zero for never.
    pub(super) inactive: Duration,
    /// What one pull asks for.
    pub(super) pull_bytes: usize,
}

impl Nats {
    /// Makes a consumer anew, and begins to read by it. Its own position does not matter: ours does.
    pub(super) async fn consume(&self, wanted: Wanted) -> Result<Messages, NatsError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| {
            NatsError::request(format!("reading {} as {}", wanted.stream.name(), wanted.name), source)
        };
        let stream = self.js.get_stream_no_info(wanted.stream.name()).await.map_err(|error| failed(error.into()))?;
        if let Err(error) = stream.delete_consumer(&wanted.name).await {
            debug!(consumer = wanted.name, error = %error, "no consumer to remove");
        }
        let config = Config {
            durable_name: Some(wanted.name.clone()),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: wanted.after + 1 },
            ack_policy: AckPolicy::All,
            ack_wait: ACK_WAIT,
            filter_subjects: wanted.filters.clone(),
            max_ack_pending: wanted.max_ack_pending,
            inactive_threshold: wanted.inactive,
            ..Config::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(|error| failed(error.into()))?;
        let messages = consumer
            .stream()
            .max_bytes_per_batch(wanted.pull_bytes)
            .expires(EXPIRES)
            .heartbeat(HEARTBEAT)
            .messages()
            .await;
        messages.map_err(|error| failed(error.into()))
    }

    /// Removes the consumer of a reader, where there is one.
    pub(crate) async fn forget_reader(&self, stage: &str, share: Share) {
        let durable = durable(stage, share);
        let removed = match self.js.get_stream_no_info(share.stream.name()).await {
            Ok(stream) => stream.delete_consumer(&durable).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = removed {
            debug!(consumer = durable, error, "no consumer to remove");
        }
    }
}

/// The name of the consumer by which a stage reads a share. Where one consumer reads several partitions, it has the
/// name of the first of them.
pub(crate) fn durable(stage: &str, share: Share) -> String {
    match share.whole {
        None => format!("{stage}-{:02}", share.partition),
        Some(group) => format!("{stage}-all-{group:02}"),
    }
}

/// How many partitions a consumer reads; one, where it reads all of a stream for a group.
pub(crate) fn partitions(stream: Stream, consumer: &Info) -> u16 {
    let config = &consumer.config;
    let filters =
        config.filter_subjects.iter().chain((!config.filter_subject.is_empty()).then_some(&config.filter_subject));
    let partitions = filters.map(|filter| if stream.partition_of(filter).is_some() { 1 } else { stream.partitions() });
    if consumer.name.contains("-all-") { 1 } else { partitions.sum::<u16>().clamp(1, stream.partitions()) }
}

//! Reads one partition in order, whatever happens to the connection.
//!
//! The durable consumer is made anew at the position where the stage goes on, so order never
//! depends on redelivery. A gap in the consumer's own numbering means that a delivery was lost on
//! the way: the consumer is then reset too, since going on and acknowledging would lose messages.

use std::time::Duration;

use async_nats::header::NATS_STREAM;
use async_nats::jetstream;
use async_nats::jetstream::consumer::pull::{Config, Stream as Messages};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::stream::DirectGetErrorKind;
use bytes::Bytes;
use chrono::DateTime;
use futures::StreamExt;
use tracing::{debug, error, warn};

use super::publish::TRACEPARENT;
use super::{Nats, NatsError};
use crate::tenure::Share;
use crate::{Batch, Lease, Page, Source, StageSpec, Stream};

/// After how long without progress the server would deliver again.
const ACK_WAIT: Duration = Duration::from_secs(60);
/// After how long the server forgets a consumer that nobody uses, where it is one of a group's own.
const UNUSED: Duration = Duration::from_secs(86_400);
/// How long to wait for more pages once one is there.
const LINGER: Duration = Duration::from_millis(2);
/// What one pull asks for: bounds the memory of a partition.
const PULL_BYTES: usize = 4 * 1024 * 1024;
/// The longest a pull waits on the server.
const EXPIRES: Duration = Duration::from_secs(30);

/// One partition of one stream, read in order.
pub(crate) struct Reader {
    nats: Nats,
    stage: &'static str,
    share: Share,
    durable: String,
    batch_pages: usize,
    lease: Lease,
    /// The last position handed out.
    position: u64,
    /// The consumer's number of the last delivery.
    delivered: u64,
    messages: Option<Messages>,
}

/// Pages and what is needed to acknowledge them.
pub(crate) struct Delivery {
    pub(crate) batch: Batch,
    /// The `traceparent` headers of its pages, by position.
    pub(crate) headers: Vec<(u64, String)>,
    /// The last message: acknowledging it acknowledges all before.
    pub(crate) last: jetstream::Message,
    /// How many more messages the partition holds.
    pub(crate) pending: u64,
}

impl Reader {
    /// A reader of what comes after `position`. Contacts nothing yet.
    pub(crate) fn new(nats: Nats, spec: &StageSpec, share: Share, position: u64, lease: Lease) -> Self {
        let (stage, batch_pages) = (spec.name, spec.batch_pages);
        let durable = durable(stage, share);
        Self { nats, stage, share, durable, batch_pages, lease, position, delivered: 0, messages: None }
    }

    /// Makes the consumer, at our position. It has one name whoever reads: without the lease it is another's.
    async fn open(&mut self) -> Result<(), NatsError> {
        if !self.lease.is_held() {
            return Err(NatsError::LeaseLost);
        }
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| {
            NatsError::request(
                format!("reading {} partition {}", self.share.stream.name(), self.share.partition),
                source,
            )
        };
        let stream =
            self.nats.js.get_stream_no_info(self.share.stream.name()).await.map_err(|error| failed(error.into()))?;
        // The durable's own position does not matter: ours does.
        if let Err(error) = stream.delete_consumer(&self.durable).await {
            debug!(consumer = self.durable, error = %error, "no consumer to remove");
        }
        let config = Config {
            durable_name: Some(self.durable.clone()),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.position + 1 },
            ack_policy: AckPolicy::All,
            ack_wait: ACK_WAIT,
            filter_subjects: self.share.filters(self.stage),
            max_ack_pending: 1000,
            // there may be fewer groups one day; its position is kept elsewhere
            inactive_threshold: self.share.whole.map_or(Duration::ZERO, |_| UNUSED),
            ..Config::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(|error| failed(error.into()))?;
        let messages = consumer
            .stream()
            .max_bytes_per_batch(PULL_BYTES)
            .expires(EXPIRES)
            .heartbeat(EXPIRES / 3)
            .messages()
            .await
            .map_err(|error| failed(error.into()))?;
        self.messages = Some(messages);
        self.delivered = 0;
        Ok(())
    }

    /// The batch of `source` that begins with `first`: what is there within a few milliseconds, up to the stage's limit.
    pub(crate) async fn batch(&mut self, source: Source, first: jetstream::Message) -> Delivery {
        let (mut pages, mut headers) = (Vec::new(), Vec::new());
        let mut pending = self.push(&first, &mut pages, &mut headers);
        let mut last = first;
        while pages.len() < self.batch_pages {
            let Some(messages) = &mut self.messages else { break };
            let Ok(Some(Ok(message))) = tokio::time::timeout(LINGER, messages.next()).await else { break };
            match self.order(&message) {
                Order::Next => {
                    pending = self.push(&message, &mut pages, &mut headers);
                    last = message;
                }
                Order::Seen => {}
                Order::Gap => {
                    self.messages = None;
                    break;
                }
            }
        }
        Delivery { batch: Batch { source, pages }, headers, last, pending }
    }

    /// Waits for the next message in order, over as many consumers as it takes. Nothing is lost when this is dropped.
    pub(crate) async fn message(&mut self) -> jetstream::Message {
        let mut pause = Duration::from_millis(100);
        loop {
            if self.messages.is_none()
                && let Err(error) = self.open().await
            {
                warn!(stream = self.share.stream.name(), partition = self.share.partition, error = %crate::cli::chain(&error), "cannot read; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
                continue;
            }
            let Some(messages) = &mut self.messages else { continue };
            match messages.next().await {
                Some(Ok(message)) => match self.order(&message) {
                    Order::Next => return message,
                    Order::Seen => {}
                    Order::Gap => self.messages = None,
                },
                // A missing heartbeat, a removed consumer, a restarted server: begin again where we are.
                Some(Err(error)) => {
                    debug!(consumer = self.durable, error = %error, "reading was interrupted");
                    self.messages = None;
                    tokio::time::sleep(pause).await;
                }
                None => self.messages = None,
            }
        }
    }

    /// Where a delivery stands in the order; counts it.
    fn order(&mut self, message: &jetstream::Message) -> Order {
        let Ok(info) = message.info() else { return Order::Gap };
        let expected = self.delivered + 1;
        self.delivered = info.consumer_sequence;
        if info.consumer_sequence != expected {
            Order::Gap
        } else if info.stream_sequence <= self.position {
            Order::Seen
        } else {
            Order::Next
        }
    }

    /// Adds a message as a page; returns how many more the partition holds.
    fn push(&mut self, message: &jetstream::Message, pages: &mut Vec<Page>, headers: &mut Vec<(u64, String)>) -> u64 {
        let (sequence, pending, nanos) = message
            .info()
            .map(|info| (info.stream_sequence, info.pending, info.published.unix_timestamp_nanos()))
            .unwrap_or_default();
        self.position = sequence;
        let header = message.headers.as_ref().and_then(|headers| headers.get(TRACEPARENT));
        headers.extend(header.map(|header| (sequence, header.as_str().to_owned())));
        pages.push(page(sequence, message.subject.to_string(), nanos, said(message)));
        pending
    }
}

impl Nats {
    /// One page of a stream, if it is still there.
    pub(super) async fn page(&self, stream: Stream, sequence: u64) -> Result<Option<Page>, NatsError> {
        let failed = |error| NatsError::request(format!("reading from stream {}", stream.name()), error);
        let handle = self.js.get_stream_no_info(stream.name()).await.map_err(failed)?;
        match handle.direct_get(sequence).await {
            Ok(found) => {
                let nanos = found.time.unix_timestamp_nanos();
                Ok(Some(page(sequence, found.subject.to_string(), nanos, found.payload)))
            }
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
            Err(error) => Err(NatsError::request(format!("reading from stream {}", stream.name()), error)),
        }
    }
}

impl Nats {
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

/// What a message says: of a copy, nothing.
///
/// Whoever may read a single message can have the server send it to any subject, as the answer: the
/// server does not ask whether the reader may publish there. It marks such a copy.
pub(crate) fn said(message: &jetstream::Message) -> Bytes {
    if message.headers.as_ref().is_some_and(|headers| headers.get(NATS_STREAM).is_some()) {
        error!(subject = %message.subject, "a copy of another message was published here; it is passed over");
        return Bytes::new();
    }
    message.payload.clone()
}

pub(crate) fn page(sequence: u64, subject: String, nanos: i128, body: Bytes) -> Page {
    let micros = i64::try_from(nanos / 1000).unwrap_or_default();
    let received_at = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    Page { sequence, subject, first_line: 1, received_at, body }
}

/// The name of the consumer by which a stage reads a partition.
pub(crate) fn durable(stage: &str, share: Share) -> String {
    match share.whole {
        None => format!("{stage}-{:02}", share.partition),
        Some(group) => format!("{stage}-all-{group:02}"),
    }
}

enum Order {
    /// The next one.
    Next,
    /// Handed out before.
    Seen,
    /// Something is missing between the last one and this.
    Gap,
}

//! Reads one partition in order, whatever happens to the connection.
//!
//! The durable consumer is made anew at the position where the stage goes on, so order never
//! depends on redelivery. A gap in the consumer's own numbering means that a delivery was lost on
//! the way: the consumer is then reset too, since going on and acknowledging would lose messages.
//! Where one lease covers several partitions, they share a consumer ([`super::feed`]).

use std::time::Duration;

use async_nats::header::NATS_STREAM;
use async_nats::jetstream;
use async_nats::jetstream::consumer::pull::Stream as Messages;
use async_nats::jetstream::stream::DirectGetErrorKind;
use bytes::Bytes;
use chrono::DateTime;
use futures::StreamExt;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{debug, error, warn};

use super::consumer::{MAX_ACK_PENDING, Wanted, durable};
use super::feed::{Arrival, Lane};
use super::floor::Receipt;
use super::publish::TRACEPARENT;
use super::{Nats, NatsError};
use crate::tenure::Share;
use crate::{Batch, Lease, Page, Source, Stream};

/// After how long the server forgets a consumer that nobody uses, where it is one of a group's own.
const UNUSED: Duration = Duration::from_secs(86_400);
/// How long to wait for more pages once one is there.
const LINGER: Duration = Duration::from_millis(2);
/// What one pull asks for: bounds the memory of a partition.
const PULL_BYTES: usize = 4 * 1024 * 1024;

/// One partition of one stream, read in order.
pub(crate) enum Reader {
    /// By a consumer of its own.
    Own(Box<Own>),
    /// By one that others are read by as well.
    Shared(Lane, Box<Nats>),
}

/// Pages and what is needed to acknowledge them.
pub(crate) struct Delivery {
    pub(crate) batch: Batch,
    /// The `traceparent` headers of its pages, by position.
    pub(crate) headers: Vec<(u64, String)>,
    /// Acknowledges the last message, and all before.
    pub(crate) receipt: Receipt,
    /// How many more messages the consumer holds.
    pub(crate) pending: u64,
    /// What it takes of the room that is shared, until it is handled.
    pub(crate) room: Option<OwnedSemaphorePermit>,
}

impl Reader {
    /// A partition, or all of a stream, after `position`. Contacts nothing yet.
    pub(crate) fn own(nats: Nats, stage: &'static str, share: Share, position: u64, lease: Lease) -> Self {
        let durable = durable(stage, share);
        Self::Own(Box::new(Own { nats, stage, share, durable, lease, position, delivered: 0, messages: None }))
    }

    /// Waits for the next message in order, over as many consumers as it takes. Nothing is lost when this is dropped.
    pub(crate) async fn message(&mut self) -> Arrival {
        match self {
            Self::Own(own) => Arrival { message: own.message().await, room: None },
            Self::Shared(lane, _) => lane.message().await,
        }
    }

    /// The batch of `source` that begins with `first`: what is there within a few milliseconds, up to so many pages.
    pub(crate) async fn batch(&mut self, source: Source, first: Arrival, limit: usize) -> Delivery {
        let (mut pages, mut headers) = (Vec::new(), Vec::new());
        let (mut last, mut pending) = push(&first.message, &mut pages, &mut headers);
        let (mut reply, mut room) = (first.message.reply.clone(), first.room);
        while pages.len() < limit {
            let Ok(Some(next)) = tokio::time::timeout(LINGER, self.more()).await else { break };
            (last, pending) = push(&next.message, &mut pages, &mut headers);
            reply.clone_from(&next.message.reply);
            match (&mut room, next.room) {
                (Some(room), Some(more)) => room.merge(more),
                (room, more) => *room = room.take().or(more),
            }
        }
        let receipt = match self {
            Self::Own(own) => Receipt::own(own.nats.client.clone(), reply),
            Self::Shared(lane, nats) => {
                Receipt::shared(nats.client.clone(), reply, lane.floor.clone(), (lane.partition, last))
            }
        };
        Delivery { batch: Batch { source, pages }, headers, receipt, pending, room }
    }

    /// The next message; `None` where it takes another consumer.
    async fn more(&mut self) -> Option<Arrival> {
        match self {
            Self::Own(own) => own.more().await.map(|message| Arrival { message, room: None }),
            Self::Shared(lane, _) => Some(lane.message().await),
        }
    }
}

/// Adds a message as a page; returns its position, and how many more its consumer holds.
fn push(message: &jetstream::Message, pages: &mut Vec<Page>, headers: &mut Vec<(u64, String)>) -> (u64, u64) {
    let (sequence, pending, nanos) = message
        .info()
        .map(|info| (info.stream_sequence, info.pending, info.published.unix_timestamp_nanos()))
        .unwrap_or_default();
    let header = message.headers.as_ref().and_then(|headers| headers.get(TRACEPARENT));
    headers.extend(header.map(|header| (sequence, header.as_str().to_owned())));
    pages.push(page(sequence, message.subject.to_string(), nanos, said(message)));
    (sequence, pending)
}

/// What is read by a consumer of its own.
pub(crate) struct Own {
    nats: Nats,
    stage: &'static str,
    share: Share,
    durable: String,
    lease: Lease,
    /// The last position handed out.
    position: u64,
    /// The consumer's number of the last delivery.
    delivered: u64,
    messages: Option<Messages>,
}

impl Own {
    /// Makes the consumer, at our position. It has one name whoever reads: without the lease it is another's.
    async fn open(&mut self) -> Result<(), NatsError> {
        if !self.lease.is_held() {
            return Err(NatsError::LeaseLost);
        }
        let wanted = Wanted {
            stream: self.share.stream,
            name: self.durable.clone(),
            filters: self.share.filters(self.stage),
            after: self.position,
            max_ack_pending: MAX_ACK_PENDING,
            // there may be fewer groups one day; its position is kept elsewhere
            inactive: self.share.whole.map_or(Duration::ZERO, |_| UNUSED),
            pull_bytes: PULL_BYTES,
        };
        self.messages = Some(self.nats.consume(wanted).await?);
        self.delivered = 0;
        Ok(())
    }

    /// The next message of this consumer; `None` where there is none any more, or something is missing before it.
    async fn more(&mut self) -> Option<jetstream::Message> {
        loop {
            let Some(Ok(message)) = self.messages.as_mut()?.next().await else { return None };
            match self.order(&message) {
                Order::Next => return Some(message),
                Order::Seen => {}
                Order::Gap => {
                    self.messages = None;
                    return None;
                }
            }
        }
    }

    async fn message(&mut self) -> jetstream::Message {
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

    /// Where a delivery stands in the order; counts it, and takes the next one as handed out.
    fn order(&mut self, message: &jetstream::Message) -> Order {
        let Ok(info) = message.info() else { return Order::Gap };
        let expected = self.delivered + 1;
        self.delivered = info.consumer_sequence;
        if info.consumer_sequence != expected {
            Order::Gap
        } else if info.stream_sequence <= self.position {
            Order::Seen
        } else {
            self.position = info.stream_sequence;
            Order::Next
        }
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

enum Order {
    /// The next one.
    Next,
    /// Handed out before.
    Seen,
    /// Something is missing between the last one and this.
    Gap,
}

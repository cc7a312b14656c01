//! Reads several partitions of a stream by one consumer, for a lease that covers all of them.
//!
//! A consumer with a filter costs the server as much as one without, or more: sixteen of them over the same stream, far
//! more. So this one hands each message to the lane of its partition, from which the partition's source takes it, in
//! order. What a source has had already is passed over. What waits in the lanes is bounded, over all of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::pull::Stream as Messages;
use async_nats::jetstream::stream::DirectGetErrorKind;
use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::consumer::{MAX_ACK_PENDING, Wanted, durable};
use super::floor::{Floor, answer};
use super::{Nats, NatsError};
use crate::tenure::Share;
use crate::{Lease, Stream};

/// What waits in the lanes and is being handled, in bytes: batches of the largest size for everything in flight, and as
/// much again.
const ROOM: usize = 32 << 20;
/// Permits are of so many bytes.
const UNIT: usize = 1 << 10;
/// What one pull asks for. The next one is sent when half of it is there: with a quarter of this, the server had sent the
/// other half before it came, and waited. See bench/README.md.
const PULL_BYTES: usize = 16 << 20;
/// How many messages are passed over before the server hears of it.
const MAX_PASSED_OVER: u32 = 100;

/// By which the sources of a feed reach it.
#[derive(Clone, Debug)]
pub(crate) struct Joining {
    joins: UnboundedSender<Join>,
    floor: Arc<Floor>,
}

/// A source that begins, or begins again.
#[derive(Debug)]
pub(crate) struct Join {
    partition: u16,
    position: u64,
    to: UnboundedSender<Arrival>,
}

/// A message, and the room that it takes until it is handled.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(super) message: jetstream::Message,
    pub(super) room: Option<OwnedSemaphorePermit>,
}

/// What a source takes its messages from.
#[derive(Debug)]
pub(crate) struct Lane {
    from: UnboundedReceiver<Arrival>,
    pub(super) partition: u16,
    pub(super) floor: Arc<Floor>,
}

impl Joining {
    /// The messages of a partition after this position.
    pub(crate) fn join(&self, partition: u16, position: u64) -> Lane {
        let (to, from) = unbounded_channel();
        // where the feed has ended, nothing comes: the source is told to end as well
        drop(self.joins.send(Join { partition, position, to }));
        Lane { from, partition, floor: Arc::clone(&self.floor) }
    }
}

impl Lane {
    /// The next one. Nothing is lost when this is dropped.
    pub(super) async fn message(&mut self) -> Arrival {
        match self.from.recv().await {
            Some(arrival) => arrival,
            None => std::future::pending().await,
        }
    }
}

/// Where a message goes.
struct To {
    lane: UnboundedSender<Arrival>,
    /// The last position that its source has, or will be given.
    position: u64,
}

/// One consumer over the partitions of a group.
pub(crate) struct Feed {
    nats: Nats,
    stage: &'static str,
    /// At least two, of one stream.
    shares: Vec<Share>,
    lease: Lease,
    floor: Arc<Floor>,
    room: Arc<Semaphore>,
    lanes: BTreeMap<u16, To>,
    /// After where a consumer is to begin; none while there is one.
    after: Option<u64>,
    messages: Option<Messages>,
    /// The consumer's number of the last delivery.
    delivered: u64,
    /// The last position delivered in order.
    read: u64,
    passed_over: u32,
}

impl Feed {
    /// A feed for these partitions of one stream. Contacts nothing yet.
    pub(crate) fn new(nats: Nats, stage: &'static str, shares: Vec<Share>, lease: Lease) -> Self {
        let floor = Arc::<Floor>::default();
        Self {
            nats,
            stage,
            shares,
            lease,
            floor,
            room: Arc::new(Semaphore::new(ROOM / UNIT)),
            lanes: BTreeMap::new(),
            after: None,
            messages: None,
            delivered: 0,
            read: 0,
            passed_over: 0,
        }
    }

    /// How sources reach it, and where they are heard.
    pub(crate) fn doors(&self) -> (Joining, UnboundedReceiver<Join>) {
        let (sender, joins) = unbounded_channel();
        (Joining { joins: sender, floor: Arc::clone(&self.floor) }, joins)
    }

    /// Until told to stop, until the lease is lost, or until no source is left.
    pub(crate) async fn run(mut self, mut joins: UnboundedReceiver<Join>, cancel: CancellationToken) {
        let lease = self.lease.clone();
        tokio::select! {
            () = cancel.cancelled() => {}
            _ = lease.guard(self.feed(&mut joins)) => {}
        }
    }

    async fn feed(&mut self, joins: &mut UnboundedReceiver<Join>) {
        self.prepare().await;
        loop {
            let all_are_there = self.lanes.len() == self.shares.len();
            tokio::select! {
                biased;
                join = joins.recv() => match join {
                    Some(join) => self.join(join),
                    None => return,
                },
                message = self.message(), if all_are_there => self.hand_on(message).await,
            }
        }
    }

    fn stream(&self) -> Stream {
        self.shares[0].stream
    }

    /// Removes the consumers by which the partitions were read one by one: nobody reads by them any more, and they would
    /// look as if something was still to be done.
    async fn prepare(&mut self) {
        for share in &self.shares[1..] {
            self.nats.forget_reader(self.stage, *share).await;
        }
    }

    fn join(&mut self, Join { partition, position, to }: Join) {
        self.floor.goes_on(partition, position);
        self.lanes.insert(partition, To { lane: to, position });
        if self.messages.is_none() || position < self.read {
            self.again(position);
        }
    }

    /// A consumer is to be made, which begins no later than after that.
    fn again(&mut self, after: u64) {
        self.messages = None;
        self.after = Some(self.after.map_or(after, |other| other.min(after)));
    }

    /// The next message in order, over as many consumers as it takes. Nothing is lost when this is dropped.
    async fn message(&mut self) -> jetstream::Message {
        let mut pause = Duration::from_millis(100);
        loop {
            if self.messages.is_none()
                && let Err(error) = self.open().await
            {
                warn!(stream = self.stream().name(), error = %crate::cli::chain(&error), "cannot read; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
                continue;
            }
            let Some(messages) = &mut self.messages else { continue };
            match messages.next().await {
                Some(Ok(message)) if self.is_next(&message) => return message,
                Some(Ok(_)) | None => self.again(self.read),
                // A missing heartbeat, a removed consumer, a restarted server: begin again where we are.
                Some(Err(error)) => {
                    debug!(stream = self.stream().name(), error = %error, "reading was interrupted");
                    self.again(self.read);
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Whether nothing is missing between the last delivery and this; counts it.
    fn is_next(&mut self, message: &jetstream::Message) -> bool {
        let Ok(info) = message.info() else { return false };
        let expected = self.delivered + 1;
        self.delivered = info.consumer_sequence;
        info.consumer_sequence == expected
    }

    /// Makes the consumer. It has one name whoever reads: without the lease it is another's.
    async fn open(&mut self) -> Result<(), NatsError> {
        if !self.lease.is_held() {
            return Err(NatsError::LeaseLost);
        }
        let mut after = self.floor.begin(self.after.unwrap_or(self.read));
        self.after = Some(after);
        let stream = self.stream();
        if self.read == 0 {
            after = after.max(self.before_the_first().await?);
        }
        let wanted = Wanted {
            stream,
            name: durable(self.stage, self.shares[0]),
            filters: stream.filters_of_several(self.shares.iter().map(|share| share.partition)),
            after,
            max_ack_pending: MAX_ACK_PENDING * i64::from(stream.partitions()),
            inactive: Duration::ZERO,
            pull_bytes: PULL_BYTES,
        };
        self.messages = Some(self.nats.consume(wanted).await?);
        (self.after, self.delivered, self.read) = (None, 0, after);
        Ok(())
    }

    /// Puts a message into its lane, once there is room.
    async fn hand_on(&mut self, message: jetstream::Message) {
        let Ok(info) = message.info() else { return };
        let (sequence, pending) = (info.stream_sequence, info.pending);
        let lane = self
            .stream()
            .partition_of(&message.subject)
            .and_then(|partition| Some((partition, self.lanes.get_mut(&partition)?)));
        self.read = self.read.max(sequence);
        let Some((partition, to)) = lane else { return };
        self.floor.delivered(partition, sequence, message.reply.clone());
        // had before, or delivered again because an acknowledgement takes long
        if sequence <= to.position {
            self.passed_over += 1;
            if self.passed_over >= MAX_PASSED_OVER || pending == 0 {
                self.passed_over = 0;
                answer(&self.nats.client, self.floor.passed_over(), Bytes::new()).await;
            }
            return;
        }
        to.position = sequence;
        let lane = to.lane.clone();
        let size = message.length.div_ceil(UNIT).clamp(1, ROOM / UNIT);
        let size = u32::try_from(size).expect("it is no more than all there is");
        let room = Arc::clone(&self.room).acquire_many_owned(size).await.expect("the semaphore is never closed");
        // a source that has ended joins again, from where it was
        drop(lane.send(Arrival { message, room: Some(room) }));
    }

    /// After where to begin, so that nothing is missed that any source has not had: where it has a place, a partition of
    /// which nothing has come for long is far behind the others, with nothing of its own in between.
    async fn before_the_first(&self) -> Result<u64, NatsError> {
        let stream = self.stream();
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| {
            NatsError::request(format!("looking for where to read stream {}", stream.name()), source)
        };
        let handle = self.nats.js.get_stream(stream.name()).await.map_err(|error| failed(error.into()))?;
        // asked before: what comes meanwhile is behind it
        let last = handle.cached_info().state.last_sequence;
        let mut before = last;
        for share in &self.shares {
            let Some(position) = self.lanes.get(&share.partition).map(|to| to.position) else { continue };
            for filter in share.filters(self.stage) {
                match handle.direct_get_next_for_subject(filter, Some(position + 1)).await {
                    Ok(next) => before = before.min(next.sequence.saturating_sub(1)),
                    Err(error) if error.kind() == DirectGetErrorKind::NotFound => {}
                    Err(error) => return Err(failed(error.into())),
                }
            }
        }
        Ok(before)
    }
}

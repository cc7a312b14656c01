//! Publishing so that it is known to be stored: single bodies with a message id, and atomic batches.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use bytes::Bytes;
use chrono::Utc;
use elava_schemas::micros;
use tracing::{error, warn};

use super::Nats;
use crate::dead::dead_output;
use crate::{Emit, Pager, message_subject, trace};

/// Messages in one atomic batch at most: the server's limit.
pub(crate) const MAX_BATCH: usize = 1000;

/// Where a message stands in a trace: W3C Trace Context.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// What headers take of the server's largest payload.
const HEADER_ROOM: usize = 4096;

/// One body for one subject.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) subject: String,
    pub(crate) body: Bytes,
    pub(crate) headers: HeaderMap,
}

impl Outgoing {
    pub(crate) fn new(subject: String, body: Bytes) -> Self {
        Self { subject, body, headers: HeaderMap::new() }
    }

    /// With an id by which the server refuses a repetition within its window: of the same body.
    pub(crate) fn with_id(self) -> Self {
        let id = blake3::hash(&self.body);
        self.identified(id)
    }

    /// The same, where the same is told by something else.
    fn identified(mut self, id: blake3::Hash) -> Self {
        self.headers.insert(NATS_MESSAGE_ID, &id.to_hex()[..32]);
        self
    }
}

/// Packs messages into bodies for their subjects; each with what it is made of.
pub(crate) fn pack(messages: &[Emit]) -> Vec<(Outgoing, &[Emit])> {
    let mut pager = Pager::default();
    let mut packed = Vec::new();
    let mut first = 0;
    let mut add = |page: Option<(String, Bytes)>, end: usize| {
        let Some((subject, body)) = page else { return };
        let rows = &messages[std::mem::replace(&mut first, end)..end];
        let mut outgoing = Outgoing::new(subject, body);
        if let Some(header) = trace::header(rows) {
            outgoing.headers.insert(TRACEPARENT, header);
        }
        packed.push((outgoing, rows));
    };
    for (index, message) in messages.iter().enumerate() {
        add(pager.push(&message.subject, &message.line), index);
    }
    add(pager.close(), messages.len());
    packed
}

/// Why something was not stored, as far as the caller can act on it.
#[derive(Debug)]
pub(crate) enum NotStored {
    /// Nothing was stored; trying again can help (a full stream, no connection).
    Again(PublishError),
    /// It may or may not have been stored.
    Unknown(PublishError),
    /// An expectation did not hold: somebody else has written.
    Conflict(PublishError),
}

impl From<PublishError> for NotStored {
    fn from(error: PublishError) -> Self {
        match error.kind() {
            PublishErrorKind::WrongLastSequence => Self::Conflict(error),
            PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => Self::Unknown(error),
            _ => Self::Again(error),
        }
    }
}

impl NotStored {
    /// What the server or client said.
    pub(crate) fn into_error(self) -> PublishError {
        match self {
            Self::Again(error) | Self::Unknown(error) | Self::Conflict(error) => error,
        }
    }
}

impl Nats {
    /// Stores one body; tries for as long as it takes. Safe to repeat: the body carries an id.
    pub(crate) async fn store(&self, outgoing: Outgoing) {
        let mut pause = Duration::from_millis(50);
        loop {
            match self.publish(outgoing.clone()).await {
                Ok(_) => return,
                Err(error) => {
                    let error = error.into_error();
                    let full = error_code(&error) == Some(ErrorCode::STREAM_STORE_FAILED);
                    warn!(subject = outgoing.subject, error = %crate::cli::chain(&error), stream_full = full, "not stored yet; trying again");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(10));
        }
    }

    /// Whether the server takes a message of this size. One that no server would take becomes a dead
    /// letter of `stage`, which carries its beginning.
    pub(crate) async fn takes(&self, stage: &str, sequence: Option<u64>, emit: &Emit) -> bool {
        let room = self.client.max_payload().saturating_sub(HEADER_ROOM);
        if emit.line.len() <= room {
            return true;
        }
        let reason = format!("{} of {} bytes; the server takes {room}", emit.kind, emit.line.len());
        error!(stage, sequence, reason, "output set aside");
        let letter = dead_output(stage, sequence, emit, reason, micros(Utc::now())).into();
        // the time is of now: an input that is handled again would give another letter
        let same = blake3::Hasher::new()
            .update(stage.as_bytes())
            .update(&sequence.unwrap_or(0).to_be_bytes())
            .update(&emit.line)
            .finalize();
        self.store(Outgoing::new(message_subject(&letter), letter.to_line().into()).identified(same)).await;
        false
    }

    /// Stores one body, once; returns its sequence.
    pub(crate) async fn publish(&self, outgoing: Outgoing) -> Result<u64, NotStored> {
        let subject = outgoing.subject.clone();
        let stored = async { self.send(outgoing).await?.await };
        match self.denials.unless_denied(&subject, stored).await {
            Ok(stored) => Ok(stored?.sequence),
            Err(denied) => Err(NotStored::Again(PublishError::with_source(PublishErrorKind::Other, denied))),
        }
    }

    /// Sends one body; whether it was stored is known once the returned future resolves.
    pub(crate) async fn send(&self, outgoing: Outgoing) -> Result<PublishAckFuture, PublishError> {
        let Outgoing { subject, body, headers } = outgoing;
        self.js.publish_with_headers(subject, headers, body).await
    }

    /// Stores all or nothing; returns the sequence of the last one.
    ///
    /// Headers and limits: NATS ADR-50, atomic batch publishing.
    pub(crate) async fn publish_atomically(&self, mut batch: Vec<Outgoing>) -> Result<u64, NotStored> {
        debug_assert!(batch.len() <= MAX_BATCH, "{} messages in one atomic batch", batch.len());
        let Some(mut last) = batch.pop() else { return Ok(0) };
        if batch.is_empty() {
            return self.publish(last).await;
        }
        let id = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let mark = |headers: &mut HeaderMap, sequence: usize| {
            headers.insert("Nats-Batch-Id", id.as_str());
            headers.insert("Nats-Batch-Sequence", sequence.to_string().as_str());
        };
        let count = batch.len();
        for (index, mut outgoing) in batch.into_iter().enumerate() {
            mark(&mut outgoing.headers, index + 1);
            self.client
                .publish_with_headers(outgoing.subject, outgoing.headers, outgoing.body)
                .await
                .map_err(|error| NotStored::Again(PublishError::with_source(PublishErrorKind::Other, error)))?;
        }
        mark(&mut last.headers, count + 1);
        last.headers.insert("Nats-Batch-Commit", "1");
        self.publish(last).await
    }
}

/// The server's error code behind a failed publish.
pub(crate) fn error_code(error: &PublishError) -> Option<ErrorCode> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(server) = error.downcast_ref::<async_nats::jetstream::Error>() {
            return Some(server.error_code());
        }
        source = error.source();
    }
    None
}

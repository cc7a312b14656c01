//! What stages want to find again after a restart: a key-value bucket, written after the outputs.
//!
//! Keys are `<stage>.<stream>.<partition>.<key>`; the key `position` holds the input position up to
//! which the state is complete. A crash between outputs and state leaves state behind the
//! checkpoint: the stage is given those inputs again, and their outputs are dropped. The key `ticked` holds the time of the
//! last tick with outputs that the state includes; if the checkpoint holds another one, that tick is repeated.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::consumer::{DeliverPolicy, ReplayPolicy};
use bytes::Bytes;
use elava_schemas::Timestamp;
use futures::TryStreamExt;
use tracing::warn;

use super::publish::{MAX_BATCH, NotStored, Outgoing};
use super::streams::{STATE_BUCKET, state_stream};
use super::{Nats, NatsError};
use crate::{Lease, Source, StateChange};

/// The key under which the position of the state is kept.
pub(crate) const POSITION: &str = "position";
/// The key under which the time of the last tick is kept.
const TICKED: &str = "ticked";

/// The state of one stage and source, as last read or written.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// Where its keys begin.
    prefix: String,
    /// The sequence of its position, which every write must follow: somebody else's state is not overwritten.
    revision: u64,
    /// The input position up to which it is complete.
    pub(crate) position: Option<u64>,
    /// The last tick with outputs that it includes.
    pub(crate) ticked: Option<Timestamp>,
}

impl Nats {
    /// Everything `stage` keeps for `source`.
    pub(crate) async fn load_state(
        &self,
        stage: &str,
        source: &Source,
    ) -> Result<(State, Vec<(String, Bytes)>), NatsError> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| NatsError::request("reading state", error);
        let prefix = format!("$KV.{STATE_BUCKET}.{stage}.{source}.");
        let stream = self.js.get_stream(state_stream()).await.map_err(|error| failed(error.into()))?;
        let consumer = stream
            .create_consumer(OrderedConfig {
                // with a name, the filter stands in the subject of the request, where permissions can see it
                name: Some(format!("{stage}-{:016x}", fastrand::u64(..))),
                deliver_policy: DeliverPolicy::LastPerSubject,
                filter_subject: format!("{prefix}>"),
                replay_policy: ReplayPolicy::Instant,
                ..OrderedConfig::default()
            })
            .await
            .map_err(|error| failed(error.into()))?;
        let mut state = State { prefix, revision: 0, position: None, ticked: None };
        let mut entries = Vec::new();
        if consumer.cached_info().num_pending == 0 {
            return Ok((state, entries));
        }
        let mut messages = consumer.messages().await.map_err(|error| failed(error.into()))?;
        while let Some(message) = messages.try_next().await.map_err(|error| failed(error.into()))? {
            let (sequence, pending) =
                message.info().map(|info| (info.stream_sequence, info.pending)).map_err(failed)?;
            let removed = message.headers.as_ref().is_some_and(|headers| headers.get("KV-Operation").is_some());
            if !removed && let Some(key) = message.subject.strip_prefix(&state.prefix) {
                let text = std::str::from_utf8(&message.payload).ok();
                if key == TICKED {
                    state.ticked = text.and_then(|text| text.parse().ok());
                } else {
                    if key == POSITION {
                        state.revision = sequence;
                        state.position = text.and_then(|text| text.parse().ok());
                    }
                    entries.push((key.to_owned(), message.payload.clone()));
                }
            }
            if pending == 0 {
                break;
            }
        }
        Ok((state, entries))
    }

    /// Stores what a tick has changed, which had outputs if that is said.
    pub(crate) async fn store_ticked(
        &self,
        state: &mut State,
        mut changes: Vec<StateChange>,
        (position, ticked): (u64, Option<Timestamp>),
        lease: &Lease,
    ) -> Result<(), NatsError> {
        if let Some(ticked) = ticked {
            // the last change is stored at once with the position
            changes.push(StateChange { key: TICKED.to_owned(), value: Some(ticked.to_rfc3339().into()) });
        } else if changes.is_empty() && state.position == Some(position) {
            return Ok(());
        }
        self.store_state(state, changes, position, lease).await?;
        state.ticked = ticked.or(state.ticked);
        Ok(())
    }

    /// Stores state changes and their position; tries for as long as it takes and `lease` is held.
    ///
    /// Each part says again where the state was, so that none is stored once somebody else has written.
    pub(crate) async fn store_state(
        &self,
        state: &mut State,
        changes: Vec<StateChange>,
        position: u64,
        lease: &Lease,
    ) -> Result<(), NatsError> {
        let changes: Vec<Outgoing> = changes.into_iter().map(|change| state.change(change)).collect();
        let mut parts = changes.chunks(MAX_BATCH - 1).peekable();
        loop {
            let mut part = parts.next().unwrap_or_default().to_vec();
            let is_last = parts.peek().is_none();
            part.push(state.moved_to(if is_last { position } else { state.position.unwrap_or(0) }));
            state.revision = self.store_part(state, part, lease).await?;
            if is_last {
                state.position = Some(position);
                return Ok(());
            }
        }
    }

    async fn store_part(&self, state: &State, part: Vec<Outgoing>, lease: &Lease) -> Result<u64, NatsError> {
        let mut pause = Duration::from_millis(50);
        loop {
            let Some(stored) = lease.guard(self.publish_atomically(part.clone())).await else {
                return Err(NatsError::LeaseLost);
            };
            match stored {
                Ok(revision) => return Ok(revision),
                // perhaps by ourselves, and we were not told: what is there is read again
                Err(NotStored::Conflict(_)) => {
                    return Err(NatsError::Fenced { subject: format!("{}{POSITION}", state.prefix) });
                }
                Err(error) => {
                    let error = error.into_error();
                    warn!(error = %crate::cli::chain(&error), "state is not stored yet; trying again");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(10));
        }
    }
}

impl State {
    fn change(&self, change: StateChange) -> Outgoing {
        let mut headers = HeaderMap::new();
        if change.value.is_none() {
            headers.insert("KV-Operation", "DEL");
        }
        let subject = format!("{}{}", self.prefix, change.key);
        Outgoing { subject, body: change.value.unwrap_or_default(), headers }
    }

    /// The message that moves the position; refused if somebody else moved it.
    fn moved_to(&self, position: u64) -> Outgoing {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, self.revision.to_string().as_str());
        let body = Bytes::from(position.to_string());
        Outgoing { subject: format!("{}{POSITION}", self.prefix), body, headers }
    }
}

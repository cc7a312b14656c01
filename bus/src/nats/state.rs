//! What stages want to find again after a restart: a key-value bucket, written after the outputs.
//!
//! Keys are `<stage>.<stream>.<partition>.<key>`; the key `position` holds the input position up to
//! which the state is complete. A crash between outputs and state leaves state behind the
//! checkpoint: the stage is given those inputs again, and their outputs are dropped.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::consumer::{DeliverPolicy, ReplayPolicy};
use bytes::Bytes;
use futures::TryStreamExt;
use tracing::warn;

use super::publish::{MAX_BATCH, NotStored, Outgoing};
use super::streams::STATE_BUCKET;
use super::{Nats, NatsError};
use crate::{Source, StateChange};

/// The key under which the position of the state is kept.
pub(crate) const POSITION: &str = "position";

impl Nats {
    /// Everything `stage` keeps for `source`.
    pub(crate) async fn load_state(&self, stage: &str, source: &Source) -> Result<Vec<(String, Bytes)>, NatsError> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| NatsError::request("reading state", error);
        let prefix = format!("$KV.{STATE_BUCKET}.{stage}.{source}.");
        let stream = self.js.get_stream(format!("KV_{STATE_BUCKET}")).await.map_err(|error| failed(error.into()))?;
        let consumer = stream
            .create_consumer(OrderedConfig {
                deliver_policy: DeliverPolicy::LastPerSubject,
                filter_subject: format!("{prefix}>"),
                replay_policy: ReplayPolicy::Instant,
                ..OrderedConfig::default()
            })
            .await
            .map_err(|error| failed(error.into()))?;
        let mut entries = Vec::new();
        if consumer.cached_info().num_pending == 0 {
            return Ok(entries);
        }
        let mut messages = consumer.messages().await.map_err(|error| failed(error.into()))?;
        while let Some(message) = messages.try_next().await.map_err(|error| failed(error.into()))? {
            let last = message.info().map_err(failed)?.pending == 0;
            let removed = message.headers.as_ref().is_some_and(|headers| headers.get("KV-Operation").is_some());
            if !removed && let Some(key) = message.subject.strip_prefix(&prefix) {
                entries.push((key.to_owned(), message.payload.clone()));
            }
            if last {
                break;
            }
        }
        Ok(entries)
    }

    /// Stores state changes and then their position; tries for as long as it takes. Idempotent.
    pub(crate) async fn store_state(&self, stage: &str, source: &Source, changes: Vec<StateChange>, position: u64) {
        let subject = |key: &str| format!("$KV.{STATE_BUCKET}.{stage}.{source}.{key}");
        let mut outgoing: Vec<Outgoing> = changes
            .into_iter()
            .map(|change| {
                let mut headers = HeaderMap::new();
                if change.value.is_none() {
                    headers.insert("KV-Operation", "DEL");
                }
                Outgoing { subject: subject(&change.key), body: change.value.unwrap_or_default(), headers }
            })
            .collect();
        outgoing.push(Outgoing::new(subject(POSITION), Bytes::from(position.to_string())));
        for chunk in outgoing.chunks(MAX_BATCH) {
            let mut pause = Duration::from_millis(50);
            while let Err(error) = self.publish_atomically(chunk.to_vec()).await {
                let error = NotStored::into_error(error);
                warn!(error = %crate::cli::chain(&error), "state is not stored yet; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(10));
            }
        }
    }
}

//! Makes the streams that are missing.

use std::time::Duration;

use async_nats::jetstream::context::{CreateStreamError, CreateStreamErrorKind};
use async_nats::jetstream::stream::{
    Compression, Config, DiscardPolicy, RetentionPolicy, StorageType, SubjectTransform,
};
use tracing::{debug, info, warn};

use super::{Nats, NatsError};
use crate::Stream;

/// The byte limit of a stream, which the server reserves; `ELAVA_STREAM_MAX_BYTES` overrides it.
/// OBSERVATION, by far the largest, has eight times as much.
const MAX_BYTES: i64 = 1 << 30;
/// What is still worth having when the server's disk is small.
const MIN_BYTES: i64 = 16 << 20;
/// JetStream's error code for "insufficient storage resources available".
const NO_STORAGE: u64 = 10047;
/// How long JetStream may take to answer after a start.
const PATIENCE: Duration = Duration::from_secs(300);
/// The bucket in which stages keep their state.
pub(super) const STATE_BUCKET: &str = "elava_state";
/// The bucket in which instances say what they work on.
pub(crate) const LEASE_BUCKET: &str = "elava_leases";

impl Nats {
    /// Makes every stream that is missing, and checks those that are there. A server that is there
    /// and does not answer yet, because it is starting, is waited for.
    pub(crate) async fn ensure_streams(&self) -> Result<(), NatsError> {
        let begun = tokio::time::Instant::now();
        loop {
            match self.ensure_all().await {
                Err(NatsError::Stream { stream, source }) if is_starting(&source) && begun.elapsed() < PATIENCE => {
                    warn!(stream, error = %crate::cli::chain(&source), "waiting for JetStream");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                ensured => return ensured,
            }
        }
    }

    /// Refuses to go on in a stream that is not the one that was read before: reading on at the old
    /// position would skip messages in silence.
    pub(crate) async fn check_position(&self, stream: Stream, from: u64) -> Result<(), NatsError> {
        let failed = |error| NatsError::request(format!("asking about stream {}", stream.name()), error);
        let found = self.js.get_stream(stream.name()).await.map_err(failed)?;
        if from > found.cached_info().state.last_sequence + 1 {
            return Err(NatsError::OtherStream { stream: stream.name(), position: from });
        }
        Ok(())
    }

    async fn ensure_all(&self) -> Result<(), NatsError> {
        // The largest last, so that it takes what is left on a small disk.
        self.ensure(lease_config()).await?;
        self.ensure(state_config()).await?;
        for stream in Stream::ALL.into_iter().rev() {
            self.ensure(config(stream)).await?;
        }
        Ok(())
    }

    async fn ensure(&self, mut config: Config) -> Result<(), NatsError> {
        loop {
            let error = match self.js.get_or_create_stream(config.clone()).await {
                Ok(found) => return self.check(&found.cached_info().config, &config).await,
                Err(error) => error,
            };
            let smaller = config.max_bytes / 2;
            let no_storage =
                matches!(error.kind(), CreateStreamErrorKind::JetStream(ref e) if e.error_code().0 == NO_STORAGE);
            if !no_storage || smaller < MIN_BYTES {
                return Err(NatsError::Stream { stream: config.name, source: error });
            }
            warn!(
                stream = config.name,
                max_bytes = smaller,
                "the server has too little storage; making a smaller stream"
            );
            config.max_bytes = smaller;
        }
    }

    /// Refuses a stream that cannot do what exactly-once needs; allows what an older version did not.
    async fn check(&self, found: &Config, wanted: &Config) -> Result<(), NatsError> {
        let stream = &wanted.name;
        let lacks = |lacks| Err(NatsError::StreamLacks { stream: stream.clone(), lacks });
        if !found.allow_atomic_publish {
            return lacks("atomic batches (allow_atomic)");
        }
        if found.subject_transform != wanted.subject_transform {
            return lacks("our partitioning (subject_transform)");
        }
        let (rollup, ttl) = (wanted.allow_rollup, wanted.allow_message_ttl);
        if (rollup && !found.allow_rollup) || (ttl && !found.allow_message_ttl) {
            let config = Config { allow_rollup: rollup, allow_message_ttl: ttl, ..found.clone() };
            let failed = |error| NatsError::request(format!("updating stream {stream}"), error);
            self.js.update_stream(config).await.map_err(failed)?;
            info!(stream, "checkpoints are rolled up from now on");
        }
        debug!(stream, "stream is ready");
        Ok(())
    }
}

fn is_starting(error: &CreateStreamError) -> bool {
    matches!(
        error.kind(),
        CreateStreamErrorKind::TimedOut | CreateStreamErrorKind::Response | CreateStreamErrorKind::JetStreamUnavailable
    )
}

fn max_bytes(stream: Option<Stream>) -> i64 {
    let share = if stream == Some(Stream::Observation) { 8 } else { 1 };
    let set = std::env::var("ELAVA_STREAM_MAX_BYTES").ok().and_then(|text| text.parse().ok());
    set.filter(|bytes| *bytes > 0).unwrap_or(MAX_BYTES * share)
}

fn config(stream: Stream) -> Config {
    let mut subjects: Vec<String> = stream.subjects().iter().map(|subject| (*subject).to_owned()).collect();
    subjects.extend(stream.writer().map(|stage| format!("elava.checkpoint.{stage}.*.*")));
    Config {
        name: stream.name().to_owned(),
        subjects,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        compression: Some(Compression::S2),
        max_bytes: max_bytes(Some(stream)),
        max_age: stream.max_age().unwrap_or_default(),
        duplicate_window: Duration::from_secs(120),
        deny_delete: stream.is_audit_trail(),
        deny_purge: stream.is_audit_trail(),
        allow_rollup: stream.rolls_up_checkpoints(),
        allow_message_ttl: stream.rolls_up_checkpoints(),
        allow_direct: true,
        allow_atomic_publish: true,
        subject_transform: stream
            .partitioning()
            .map(|(source, destination)| SubjectTransform { source: source.to_owned(), destination }),
        ..Config::default()
    }
}

/// The stream behind the bucket of the stages' state.
pub(crate) fn state_stream() -> String {
    format!("KV_{STATE_BUCKET}")
}

/// A key-value bucket as any NATS client knows it, that also takes atomic batches.
fn state_config() -> Config {
    Config {
        name: state_stream(),
        subjects: vec![format!("$KV.{STATE_BUCKET}.>")],
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        compression: Some(Compression::S2),
        max_bytes: max_bytes(None),
        max_messages_per_subject: 1,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        allow_atomic_publish: true,
        ..Config::default()
    }
}

/// Likewise; its keys go by themselves, each after its own time.
fn lease_config() -> Config {
    Config {
        name: format!("KV_{LEASE_BUCKET}"),
        subjects: vec![format!("$KV.{LEASE_BUCKET}.>")],
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        max_bytes: MIN_BYTES,
        max_messages_per_subject: 1,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        allow_atomic_publish: true,
        allow_message_ttl: true,
        ..Config::default()
    }
}

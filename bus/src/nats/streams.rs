//! Makes the streams that are missing.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{CreateStreamError, CreateStreamErrorKind};
use async_nats::jetstream::stream::{
    Compression, Config, DiscardPolicy, RetentionPolicy, StorageType, SubjectTransform,
};
use tracing::{debug, info, warn};

use super::storage::{MIN_BYTES, failed};
use super::{Nats, NatsError};
use crate::Stream;

/// The byte limit of a stream, which the server reserves; `ELAVA_STREAM_MAX_BYTES` overrides it.
/// OBSERVATION, by far the largest, has eight times as much.
const MAX_BYTES: i64 = 1 << 30;
/// How long JetStream may take to answer after a start.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long whoever may not make streams waits before trying whether that has changed.
const DENIED_PAUSE: Duration = Duration::from_secs(30);
/// The bucket in which stages keep their state.
pub(crate) const STATE_BUCKET: &str = "elava_state";
/// The bucket in which instances say what they work on.
pub(crate) const LEASE_BUCKET: &str = "elava_leases";

/// The names of the streams that a stage uses: what it reads and writes, dead letters, leases, and where
/// it keeps any, its state.
pub(crate) fn used(reads: &[Stream], writes: Option<Stream>) -> Vec<String> {
    let mut names = vec![lease_stream()];
    names.extend((!reads.is_empty()).then(state_stream));
    let streams = Stream::ALL.into_iter();
    let mine = streams.filter(|stream| reads.contains(stream) || writes == Some(*stream) || *stream == Stream::Dead);
    names.extend(mine.map(|stream| stream.name().to_owned()));
    names
}

/// What every stream is to be.
pub(super) fn configs() -> impl Iterator<Item = Config> {
    [lease_config(), state_config()].into_iter().chain(Stream::ALL.into_iter().rev().map(config))
}

impl Nats {
    /// Sees to it that the streams of these names are there and do what is needed. If one does not, all
    /// are made that are missing; whoever may not do that waits until somebody has. A server that is
    /// there and does not answer yet, because it is starting, is waited for too.
    pub(crate) async fn ensure_streams(&self, names: &[String]) -> Result<(), NatsError> {
        let begun = tokio::time::Instant::now();
        loop {
            let Some(lacking) = self.lacking(names).await? else {
                self.denials.forget();
                return Ok(());
            };
            let first = lacking.name.clone();
            let pause = match self.make_all(lacking).await {
                Ok(()) => return Ok(()),
                Err(NatsError::Stream { stream, source }) if is_starting(&source) && begun.elapsed() < PATIENCE => {
                    warn!(stream, error = %crate::cli::chain(&source), "waiting for JetStream");
                    Duration::from_millis(500)
                }
                Err(NatsError::Denied { .. }) => {
                    warn!(
                        stream = first,
                        "a stream is missing or of an older version, and this user may not make it: `elava nats streams` does; waiting"
                    );
                    DENIED_PAUSE
                }
                Err(error) => return Err(error),
            };
            self.wait_for(names, pause).await?;
        }
    }

    /// Makes every stream that is missing, of which `first` is one. Whoever may not make that one asks about
    /// no other: it may not be allowed to know of them.
    async fn make_all(&self, first: Config) -> Result<(), NatsError> {
        let subject = asking("CREATE", &first.name);
        if let Err(error) = self.denials.unless_denied(&subject, self.js.create_stream(first)).await? {
            debug!(error = %crate::cli::chain(&error), "not made at once");
        }
        self.make_streams().await
    }

    /// Until they are there, at most so long.
    async fn wait_for(&self, names: &[String], at_most: Duration) -> Result<(), NatsError> {
        let until = tokio::time::Instant::now() + at_most;
        while tokio::time::Instant::now() < until && self.lacking(names).await?.is_some() {
            tokio::time::sleep(Duration::from_secs(1).min(at_most)).await;
        }
        Ok(())
    }

    /// The first of them that is missing, cannot be asked about, or must be updated.
    async fn lacking(&self, names: &[String]) -> Result<Option<Config>, NatsError> {
        for wanted in configs().filter(|config| names.contains(&config.name)) {
            match self.denials.unless_denied(&asking("INFO", &wanted.name), self.js.get_stream(&wanted.name)).await? {
                Ok(found) if updated(check(&found.cached_info().config, &wanted)?, &wanted).is_none() => {}
                _ => return Ok(Some(wanted)),
            }
        }
        Ok(None)
    }

    /// Refuses to go on in a stream that is not the one that was read before: reading on at the old
    /// position would skip messages in silence. Gives the first position that the stream still has.
    pub(crate) async fn check_position(&self, stream: Stream, from: u64) -> Result<u64, NatsError> {
        let failed = |error| NatsError::request(format!("asking about stream {}", stream.name()), error);
        let found = self.js.get_stream(stream.name()).await.map_err(failed)?;
        let state = &found.cached_info().state;
        if from > state.last_sequence + 1 {
            return Err(NatsError::OtherStream { stream: stream.name(), position: from });
        }
        Ok(state.first_sequence)
    }

    /// Makes it where it is missing. Where it is there, it is allowed what an older version did not, and the
    /// other way round.
    pub(super) async fn make(&self, wanted: &Config) -> Result<(), NatsError> {
        let stream = &wanted.name;
        let found = loop {
            let asked = self.js.get_or_create_stream(wanted.clone());
            match self.denials.unless_denied(&asking("CREATE", stream), asked).await? {
                // made since we asked, with another limit: now it is found
                Err(error) if is_there_already(&error) => {}
                asked => break asked.map_err(|error| failed(stream, error))?,
            }
        };
        if let Some(config) = updated(check(&found.cached_info().config, wanted)?, wanted) {
            self.change(config).await?;
            info!(stream, "the stream is as this version needs it from now on");
        }
        debug!(stream, "stream is ready");
        Ok(())
    }

    /// Gives a stream that is there another configuration.
    pub(super) async fn change(&self, config: Config) -> Result<(), NatsError> {
        let failed = |error| NatsError::request(format!("updating stream {}", config.name), error);
        let subject = asking("UPDATE", &config.name);
        self.denials.unless_denied(&subject, self.js.update_stream(&config)).await?.map(drop).map_err(failed)
    }
}

/// Refuses a stream that cannot do what exactly-once needs.
fn check<'a>(found: &'a Config, wanted: &Config) -> Result<&'a Config, NatsError> {
    let lacks = |lacks| Err(NatsError::StreamLacks { stream: wanted.name.clone(), lacks });
    if !found.allow_atomic_publish {
        return lacks("atomic batches (allow_atomic)");
    }
    if found.subject_transform != wanted.subject_transform {
        return lacks("our partitioning (subject_transform)");
    }
    Ok(found)
}

/// How a stream that was made by an older version is to be; none where it is so already.
fn updated(found: &Config, wanted: &Config) -> Option<Config> {
    // what has a time to live cannot lose it
    let ttl = wanted.allow_message_ttl || found.allow_message_ttl;
    let lacking = wanted.subjects.iter().filter(|subject| !found.subjects.contains(subject));
    let subjects: Vec<String> = found.subjects.iter().chain(lacking).cloned().collect();
    let is_so = found.allow_rollup == wanted.allow_rollup
        && found.allow_message_ttl == ttl
        && subjects.len() == found.subjects.len();
    let allow_rollup = wanted.allow_rollup;
    (!is_so).then(|| Config { subjects, allow_rollup, allow_message_ttl: ttl, ..found.clone() })
}

/// On which subject something is asked of JetStream about a stream: `INFO`, `CREATE`, `UPDATE`.
pub(crate) fn asking(what: &str, stream: &str) -> String {
    format!("$JS.API.STREAM.{what}.{stream}")
}

fn is_starting(error: &CreateStreamError) -> bool {
    matches!(
        error.kind(),
        CreateStreamErrorKind::TimedOut | CreateStreamErrorKind::Response | CreateStreamErrorKind::JetStreamUnavailable
    )
}

fn is_there_already(error: &CreateStreamError) -> bool {
    matches!(error.kind(), CreateStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NAME_EXIST)
}

fn max_bytes(stream: Option<Stream>) -> i64 {
    let share = if stream == Some(Stream::Observation) { 8 } else { 1 };
    let set = std::env::var("ELAVA_STREAM_MAX_BYTES").ok().and_then(|text| text.parse().ok());
    set.filter(|bytes| *bytes > 0).unwrap_or(MAX_BYTES * share)
}

fn config(stream: Stream) -> Config {
    let mut subjects: Vec<String> = stream.subjects().map(str::to_owned).collect();
    subjects.extend(stream.writers().iter().map(|stage| format!("elava.checkpoint.{stage}.*.*")));
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
    stream_of(STATE_BUCKET)
}

/// The stream behind the bucket of leases.
pub(crate) fn lease_stream() -> String {
    stream_of(LEASE_BUCKET)
}

fn stream_of(bucket: &str) -> String {
    format!("KV_{bucket}")
}

/// A key-value bucket as any NATS client knows it, that also takes atomic batches. Without roll-ups: by
/// one, whoever may write a single key could remove all.
fn bucket_config(bucket: &str, max_bytes: i64) -> Config {
    Config {
        name: stream_of(bucket),
        subjects: vec![format!("$KV.{bucket}.>")],
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        max_bytes,
        max_messages_per_subject: 1,
        deny_delete: true,
        allow_direct: true,
        allow_atomic_publish: true,
        ..Config::default()
    }
}

fn state_config() -> Config {
    Config { compression: Some(Compression::S2), ..bucket_config(STATE_BUCKET, max_bytes(None)) }
}

/// Its keys go by themselves, each after its own time.
fn lease_config() -> Config {
    Config { allow_message_ttl: true, ..bucket_config(LEASE_BUCKET, MIN_BYTES) }
}

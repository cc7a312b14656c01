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

/// What every stream is to be. The largest last, so that it takes what is left on a small disk.
fn configs() -> impl Iterator<Item = Config> {
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

    /// Makes every stream that is missing, and checks those that are there.
    pub(crate) async fn make_streams(&self) -> Result<(), NatsError> {
        for config in configs() {
            self.make(config).await?;
        }
        Ok(())
    }

    /// The same, where `first` is missing. Whoever may not make that one asks about no other: it may not
    /// be allowed to know of them.
    async fn make_all(&self, first: Config) -> Result<(), NatsError> {
        let subject = format!("$JS.API.STREAM.CREATE.{}", first.name);
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
            match self.denials.unless_denied(&info_subject(&wanted.name), self.js.get_stream(&wanted.name)).await? {
                Ok(found) if updated(check(&found.cached_info().config, &wanted)?, &wanted).is_none() => {}
                _ => return Ok(Some(wanted)),
            }
        }
        Ok(None)
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

    async fn make(&self, mut config: Config) -> Result<(), NatsError> {
        loop {
            let asked = self.js.get_or_create_stream(config.clone());
            let subject = format!("$JS.API.STREAM.CREATE.{}", config.name);
            let error = match self.denials.unless_denied(&subject, asked).await? {
                Ok(found) => return self.update(check(&found.cached_info().config, &config)?, &config).await,
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

    /// Allows what an older version did not, and the other way round.
    async fn update(&self, found: &Config, wanted: &Config) -> Result<(), NatsError> {
        let stream = &wanted.name;
        if let Some(config) = updated(found, wanted) {
            let failed = |error| NatsError::request(format!("updating stream {stream}"), error);
            let subject = format!("$JS.API.STREAM.UPDATE.{stream}");
            self.denials.unless_denied(&subject, self.js.update_stream(config)).await?.map_err(failed)?;
            info!(stream, "the stream is as this version needs it from now on");
        }
        debug!(stream, "stream is ready");
        Ok(())
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
    let is_so = found.allow_rollup == wanted.allow_rollup && found.allow_message_ttl == ttl;
    (!is_so).then(|| Config { allow_rollup: wanted.allow_rollup, allow_message_ttl: ttl, ..found.clone() })
}

fn info_subject(stream: &str) -> String {
    format!("$JS.API.STREAM.INFO.{stream}")
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
    let mut subjects: Vec<String> = stream.subjects().map(str::to_owned).collect();
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

/// The stream behind the bucket of leases.
pub(crate) fn lease_stream() -> String {
    format!("KV_{LEASE_BUCKET}")
}

/// A key-value bucket as any NATS client knows it, that also takes atomic batches. Without roll-ups: by
/// one, whoever may write a single key could remove all.
fn state_config() -> Config {
    Config {
        name: state_stream(),
        subjects: vec![format!("$KV.{STATE_BUCKET}.>")],
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        compression: Some(Compression::S2),
        max_bytes: max_bytes(None),
        max_messages_per_subject: 1,
        deny_delete: true,
        allow_direct: true,
        allow_atomic_publish: true,
        ..Config::default()
    }
}

/// Likewise; its keys go by themselves, each after its own time.
fn lease_config() -> Config {
    Config {
        name: lease_stream(),
        subjects: vec![format!("$KV.{LEASE_BUCKET}.>")],
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        max_bytes: MIN_BYTES,
        max_messages_per_subject: 1,
        deny_delete: true,
        allow_direct: true,
        allow_atomic_publish: true,
        allow_message_ttl: true,
        ..Config::default()
    }
}

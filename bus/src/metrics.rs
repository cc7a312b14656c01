//! What a stage tells of itself: counters for Prometheus, and whether it is ready.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use elava_schemas::Timestamp;
use serde::Serialize;

use crate::nats::denials::Denials;
use crate::trace::{Counts, Tracer};
use crate::{Batch, Failure, Output, PARTITIONS};

/// The counters of one stage. Cheap to update from every partition.
#[derive(Debug)]
pub(crate) struct Metrics {
    stage: &'static str,
    /// How many sources are to be read, and how many are.
    sources: AtomicI64,
    ready: AtomicI64,
    /// Whether it is known which those are.
    joined: AtomicBool,
    /// How many partitions are leased by this instance; negative where there is nothing to share.
    held: AtomicI64,
    unavailable: AtomicU64,
    /// What is missing before it can begin.
    lacking: Mutex<Option<String>>,
    /// What the server refuses, once there is a connection.
    denials: OnceLock<Denials>,
    /// Where spans go, once it is known whose they are.
    tracer: OnceLock<Tracer>,
    received: AtomicU64,
    emitted: AtomicU64,
    rejected: AtomicU64,
    retried: AtomicU64,
    blocked: AtomicU64,
    busy_micros: AtomicU64,
    batches: AtomicU64,
    last_millis: AtomicI64,
    /// Messages still to come, and the age of the newest handled while there are any, by source.
    lag: Mutex<BTreeMap<String, (u64, f64)>>,
}

/// All of it at a glance, in the words of the metrics.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    ready: bool,
    state: String,
    leases_held: Option<i64>,
    rows_received: u64,
    rows_emitted: u64,
    rows_rejected: u64,
    batches: u64,
    batches_retried: u64,
    publish_blocked: u64,
    busy_seconds: f64,
    last_batch: Option<Timestamp>,
    pending_messages: u64,
    oldest_pending_seconds: f64,
}

impl Metrics {
    pub(crate) fn new(stage: &'static str, sources: i64) -> Self {
        Self {
            stage,
            sources: AtomicI64::new(sources),
            ready: AtomicI64::new(0),
            joined: AtomicBool::new(true),
            held: AtomicI64::new(-1),
            unavailable: AtomicU64::new(0),
            lacking: Mutex::default(),
            denials: OnceLock::new(),
            tracer: OnceLock::new(),
            received: AtomicU64::new(0),
            emitted: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
            busy_micros: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            last_millis: AtomicI64::new(0),
            lag: Mutex::default(),
        }
    }

    /// Of an instance that shares sources with others, and does not know yet which are its own.
    pub(crate) fn shared(stage: &'static str) -> Self {
        Self { joined: AtomicBool::new(false), held: AtomicI64::new(0), ..Self::new(stage, 0) }
    }

    /// From now on, a connection to which something is refused is not ready.
    pub(crate) fn watches(&self, denials: Denials) {
        self.denials.get_or_init(|| denials);
    }

    /// From now on, what is stored is traced so.
    pub(crate) fn traces(&self, tracer: Tracer) {
        self.tracer.get_or_init(|| tracer);
    }

    /// Where spans go.
    pub(crate) fn tracer(&self) -> &Tracer {
        static NONE: Tracer = Tracer::NONE;
        self.tracer.get().unwrap_or(&NONE)
    }

    /// What is missing before it can begin, for a person; until `None`, it is not ready.
    pub(crate) fn lacks(&self, what: Option<String>) {
        *self.lacking() = what;
    }

    fn lacking(&self) -> MutexGuard<'_, Option<String>> {
        self.lacking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the server refuses at present.
    fn denied(&self) -> Option<String> {
        self.denials.get().and_then(Denials::current)
    }

    /// What keeps it from being ready, where that has a name.
    fn why_not(&self) -> Vec<String> {
        self.lacking().clone().into_iter().chain(self.denied()).collect()
    }

    /// One more source is being read.
    pub(crate) fn ready(&self) {
        self.ready.fetch_add(1, Ordering::Relaxed);
    }

    /// The same, until what this returns is dropped.
    pub(crate) fn reading(&self) -> impl Drop + '_ {
        self.ready();
        Reading(self)
    }

    /// So many more sources are to be read.
    pub(crate) fn expects(&self, sources: usize) -> impl Drop + '_ {
        let sources = i64::try_from(sources).unwrap_or_default();
        self.sources.fetch_add(sources, Ordering::Relaxed);
        Expected { metrics: self, sources }
    }

    /// Whether the other instances know of this one.
    pub(crate) fn joined(&self, joined: bool) {
        self.joined.store(joined, Ordering::Relaxed);
    }

    /// How many partitions are leased.
    pub(crate) fn holds(&self, partitions: u64) {
        self.held.store(i64::try_from(partitions).unwrap_or_default(), Ordering::Relaxed);
    }

    /// A source is no longer read here.
    pub(crate) fn left(&self, lag_of: &str) {
        self.lag().remove(lag_of);
    }

    fn lag(&self) -> MutexGuard<'_, BTreeMap<String, (u64, f64)>> {
        self.lag.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether every source is being read and nothing outside is missing.
    pub(crate) fn is_ready(&self) -> bool {
        let count = |count: &AtomicI64| count.load(Ordering::Relaxed);
        let all_read = count(&self.ready) >= count(&self.sources);
        let is_missing_nothing = self.unavailable.load(Ordering::Relaxed) == 0 && self.why_not().is_empty();
        all_read && self.joined.load(Ordering::Relaxed) && is_missing_nothing
    }

    /// In a few words, whether it is ready and what for.
    pub(crate) fn state(&self) -> String {
        let why_not = self.why_not();
        if !why_not.is_empty() {
            return format!("not ready: {}", why_not.join("; "));
        }
        match self.held.load(Ordering::Relaxed) {
            _ if !self.is_ready() => "not ready".to_owned(),
            0 => "ready, standing by".to_owned(),
            1.. => format!("ready, {} of {PARTITIONS} partitions", self.held.load(Ordering::Relaxed)),
            _ => "ready".to_owned(),
        }
    }

    /// A batch was handled; what it was read by has so many more messages.
    pub(crate) fn handled(&self, batch: &Batch, output: &Output, (lag_of, pending): (String, u64)) {
        self.unavailable.store(0, Ordering::Relaxed);
        self.received.fetch_add(batch.lines().count() as u64, Ordering::Relaxed);
        self.emitted.fetch_add(output.messages.len() as u64, Ordering::Relaxed);
        self.rejected.fetch_add(output.rejected.len() as u64, Ordering::Relaxed);
        self.batches.fetch_add(1, Ordering::Relaxed);
        let now = Utc::now();
        self.last_millis.store(now.timestamp_millis(), Ordering::Relaxed);
        let newest = batch.pages.last().map_or(now, |page| page.received_at);
        let age = if pending == 0 { 0.0 } else { (now - newest).as_seconds_f64().max(0.0) };
        self.lag().insert(lag_of, (pending, age));
    }

    /// Time has passed, and led to this.
    pub(crate) fn ticked(&self, output: &Output) {
        self.emitted.fetch_add(output.messages.len() as u64, Ordering::Relaxed);
        self.last_millis.store(Utc::now().timestamp_millis(), Ordering::Relaxed);
    }

    /// Rows were handed over to be stored, by a source of messages.
    pub(crate) fn sent(&self, rows: u64) {
        self.emitted.fetch_add(rows, Ordering::Relaxed);
        self.last_millis.store(Utc::now().timestamp_millis(), Ordering::Relaxed);
    }

    /// A batch failed and is tried again.
    pub(crate) fn retried(&self, failure: &Failure) {
        self.retried.fetch_add(1, Ordering::Relaxed);
        if matches!(failure, Failure::Unavailable(_)) {
            self.unavailable.store(1, Ordering::Relaxed);
        }
    }

    /// Outputs could not be stored at once.
    pub(crate) fn blocked(&self) {
        self.blocked.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts time as busy until dropped.
    pub(crate) fn busy(&self) -> impl Drop + '_ {
        Busy { metrics: self, begun: Instant::now() }
    }

    /// All of it at a glance; what is pending, over all sources.
    pub(crate) fn status(&self) -> Status {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (held, last) = (self.held.load(Ordering::Relaxed), self.last_millis.load(Ordering::Relaxed));
        let lag = self.lag();
        Status {
            ready: self.is_ready(),
            state: self.state(),
            leases_held: (held >= 0).then_some(held),
            rows_received: count(&self.received),
            rows_emitted: count(&self.emitted),
            rows_rejected: count(&self.rejected),
            batches: count(&self.batches),
            batches_retried: count(&self.retried),
            publish_blocked: count(&self.blocked),
            busy_seconds: self.busy_seconds(),
            last_batch: (last > 0).then(|| DateTime::from_timestamp_millis(last)).flatten(),
            pending_messages: lag.values().map(|(pending, _)| pending).sum(),
            oldest_pending_seconds: lag.values().map(|(_, age)| *age).fold(0.0, f64::max),
        }
    }

    fn busy_seconds(&self) -> f64 {
        Duration::from_micros(self.busy_micros.load(Ordering::Relaxed)).as_secs_f64()
    }

    /// In the Prometheus text format, version 0.0.4.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        let last = self.last_millis.load(Ordering::Relaxed) as f64 / 1000.0;
        let rows = [
            ("elava_rows_received_total", "counter", "Rows read.", count(&self.received)),
            ("elava_rows_emitted_total", "counter", "Rows written downstream.", count(&self.emitted)),
            ("elava_rows_rejected_total", "counter", "Rows sent to the dead letters.", count(&self.rejected)),
            ("elava_batches_total", "counter", "Batches handled.", count(&self.batches)),
            ("elava_batches_retried_total", "counter", "Attempts at a batch that failed.", count(&self.retried)),
            ("elava_publish_blocked_total", "counter", "Attempts to store outputs that failed.", count(&self.blocked)),
            ("elava_busy_seconds_total", "counter", "Time spent handling batches.", self.busy_seconds()),
            ("elava_last_batch_timestamp_seconds", "gauge", "When the last batch was handled.", last),
            ("elava_ready", "gauge", "Whether every source is being read.", f64::from(u8::from(self.is_ready()))),
        ];
        let held = self.held.load(Ordering::Relaxed);
        let leases =
            (held >= 0).then_some(("elava_leases_held", "gauge", "Partitions leased by this instance.", held as f64));
        let traces = self.tracer().counts().map(|Counts { exported, dropped }| {
            [
                ("elava_spans_exported_total", "counter", "Spans that the collector took.", exported as f64),
                ("elava_spans_dropped_total", "counter", "Spans that no collector took.", dropped as f64),
            ]
        });
        for (name, kind, help, value) in rows.into_iter().chain(leases).chain(traces.into_iter().flatten()) {
            let stage = self.stage;
            writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{{stage=\"{stage}\"}} {value}")
                .expect("writing to a String does not fail");
        }
        let lag = self.lag().clone();
        for (name, help, pick) in [
            ("elava_pending_messages", "Messages still to be read.", 0),
            ("elava_oldest_pending_seconds", "Age of the message last handled while others wait.", 1),
        ] {
            writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge").expect("writing to a String does not fail");
            for (source, (pending, age)) in &lag {
                let value = if pick == 0 { *pending as f64 } else { *age };
                writeln!(text, "{name}{{stage=\"{}\",source=\"{source}\"}} {value}", self.stage)
                    .expect("writing to a String does not fail");
            }
        }
        text
    }
}

struct Reading<'a>(&'a Metrics);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.ready.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Expected<'a> {
    metrics: &'a Metrics,
    sources: i64,
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.metrics.sources.fetch_sub(self.sources, Ordering::Relaxed);
    }
}

struct Busy<'a> {
    metrics: &'a Metrics,
    begun: Instant,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let micros = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.metrics.busy_micros.fetch_add(micros, Ordering::Relaxed);
    }
}

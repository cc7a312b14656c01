//! Evaluates again what has not changed: when the policies do, daily where they read the time, and when somebody asks.
//!
//! Each partition of the changes goes through its current resources part by part, between batches of changes. The
//! detector tells how a resource is at least as late as the changes that were handled, and nothing else of the partition
//! is handled until its results are made: a result is never older than the one before it.

mod detector;
mod record;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use elava_bus::{NatsOptions, Output, PARTITIONS, Source, StateChange, Stream, group_of_scope};
use elava_schemas::{EvaluationRequest, PolicyResult, ResourceKey, Timestamp, Trigger};
use tracing::{debug, error, info, warn};

use self::detector::{Answer, Detector, NoAnswer};
use self::record::{Asked, InUse, Record, Run};
use crate::Bundle;
use crate::given::{Row, Version, key_of};

/// The key of what is kept of a partition.
const KEY: &str = "evaluated";
/// Nothing is begun while changes come: what they say is not known to the detector alone.
const QUIET: TimeDelta = TimeDelta::seconds(2);
/// After so long it is begun although they do.
const PATIENCE: TimeDelta = TimeDelta::seconds(60);
/// Between two parts, in which changes are handled.
const PAUSE: TimeDelta = TimeDelta::milliseconds(100);
/// After the detector did not answer.
const RETRY: TimeDelta = TimeDelta::seconds(10);

/// What every partition is at.
pub(crate) struct Again {
    detector: Detector,
    every: TimeDelta,
    sources: Mutex<HashMap<Source, Known>>,
}

/// What is known of one partition.
#[derive(Default)]
struct Known {
    /// None before anything was ever read: there is nothing to be evaluated again.
    record: Option<Record>,
    asked: Option<Asked>,
    /// When changes came last.
    last_input: Option<Timestamp>,
    /// Since when something is to be evaluated.
    wanted_since: Option<Timestamp>,
    /// Nothing before then.
    rests_until: Timestamp,
    /// Said once until it answers.
    is_silent: bool,
}

/// What a part is evaluated with.
pub(crate) struct Given<'a> {
    /// The policies in use.
    pub(crate) bundle: &'a Bundle,
    /// What time it is, for policies too.
    pub(crate) now: Timestamp,
}

impl Again {
    pub(crate) fn new(options: NatsOptions, every: Duration) -> Self {
        let every = TimeDelta::from_std(every).unwrap_or(TimeDelta::MAX);
        Self { detector: Detector::new(options), every, sources: Mutex::default() }
    }

    /// Begins to work on a partition. `is_new` says that nothing of it was ever read.
    pub(crate) fn resume(&self, source: &Source, state: &[(String, Bytes)], is_new: bool) {
        let stored = state.iter().find(|(key, _)| key == KEY).map(|(_, value)| serde_json::from_slice(value));
        let record = match stored {
            Some(Ok(record)) => Some(record),
            Some(Err(error)) => {
                warn!(%source, %error, "what was evaluated cannot be read; everything is evaluated again");
                Some(Record::default())
            }
            None => (!is_new).then(Record::default),
        };
        self.sources().insert(source.clone(), Known { record, ..Known::default() });
    }

    /// No longer works on a partition.
    pub(crate) fn leave(&self, source: &Source) {
        self.sources().remove(source);
    }

    /// Changes have come.
    pub(crate) fn came(&self, source: &Source) {
        if let Some(known) = self.sources().get_mut(source) {
            known.last_input = Some(Utc::now());
        }
    }

    /// Somebody wants everything evaluated again, or one resource; of how many partitions that is.
    pub(crate) fn ask(&self, request: EvaluationRequest) -> usize {
        let asked = request.resource_key.map_or(Asked::All, Asked::One);
        let mut sources = self.sources();
        let wanted = sources.iter_mut().filter(|(source, _)| match (&asked, partition_of(source)) {
            (_, None) => false,
            (Asked::All, Some(_)) => true,
            (Asked::One(key), Some(partition)) => group_of_scope(key.into(), PARTITIONS) == partition,
        });
        wanted.map(|(_, known)| known.asked = Some(asked.clone())).count()
    }

    /// When the next part of a partition is due.
    pub(crate) fn due(&self, source: &Source, bundle: &Bundle) -> Option<Timestamp> {
        let mut sources = self.sources();
        let known = sources.get_mut(source)?;
        let Some(record) = &known.record else { return Some(Timestamp::UNIX_EPOCH) };
        let wanted = record.wanted_at(self.in_use(bundle), known.asked.as_ref())?;
        let now = Utc::now();
        if wanted > now {
            known.wanted_since = None;
            return Some(wanted);
        }
        let since = *known.wanted_since.get_or_insert(now);
        let quiet = known.last_input.map_or(since, |last| (last + QUIET).min(since + PATIENCE));
        Some(quiet.max(known.rests_until))
    }

    /// Evaluates the next part of a partition, if there is one.
    pub(crate) async fn part(
        &self,
        source: &Source,
        given: Given<'_>,
        evaluate: impl Fn(&ResourceKey, Version, Trigger) -> PolicyResult,
    ) -> Output {
        let (Some(partition), Some((record, run))) = (partition_of(source), self.next(source, &given)) else {
            return Output::default();
        };
        let Some(run) = run else { return self.keep(source, record, given.now) };
        if run.part.is_none() {
            debug!(%source, trigger = run.trigger.as_str(), "evaluating all current resources again");
        }
        let answer = match self.detector.ask((partition, given.now), &run, given.bundle.reads_previous()).await {
            Ok(answer) => answer,
            Err(no) => {
                self.rest(source, &no);
                return Output::default();
            }
        };
        let mut results = tokio::task::block_in_place(|| results(&answer, given.now, run.trigger, evaluate));
        let (trigger, resources) = (run.trigger.as_str(), run.resources + results.messages.len() as u64);
        let after = record.after(run, answer.head.next, results.messages.len() as u64);
        if after.run.is_none() && resources > 0 {
            info!(%source, trigger, resources, "current resources are evaluated again");
        }
        results.state = self.keep(source, after, given.now).state;
        results
    }

    /// What is kept of a partition now, and what is to be evaluated.
    fn next(&self, source: &Source, given: &Given<'_>) -> Option<(Record, Option<Run>)> {
        let mut sources = self.sources();
        let known = sources.get_mut(source)?;
        let in_use = self.in_use(given.bundle);
        let Some(record) = known.record.clone() else {
            let bundle = in_use.bundle.to_owned();
            return Some((Record { bundle, at: Some(given.now), run: None }, None));
        };
        let run = record.next(in_use, known.asked.as_ref(), given.now)?;
        Some((record, Some(run)))
    }

    fn keep(&self, source: &Source, record: Record, now: Timestamp) -> Output {
        let value = serde_json::to_vec(&record).expect("it has string keys");
        if let Some(known) = self.sources().get_mut(source) {
            // what was asked for is in the record from now on
            let is_through = record.run.is_none();
            let is_one = matches!(known.asked, Some(Asked::One(_)));
            if is_one == is_through {
                known.asked = None;
            }
            known.wanted_since = known.wanted_since.filter(|_| !is_through);
            known.rests_until = now + PAUSE;
            known.is_silent = false;
            known.record = Some(record);
        }
        let state = vec![StateChange { key: KEY.to_owned(), value: Some(value.into()) }];
        Output { state, ..Output::default() }
    }

    /// Tries again later; changes are handled meanwhile.
    fn rest(&self, source: &Source, no: &NoAnswer) {
        let mut sources = self.sources();
        let Some(known) = sources.get_mut(source) else { return };
        let is_busy = matches!(no, NoAnswer::Busy);
        known.rests_until = Utc::now() + if is_busy { PAUSE } else { RETRY };
        if !is_busy && !std::mem::replace(&mut known.is_silent, true) {
            let error = elava_bus::cli::chain(no);
            warn!(%source, error, "current resources cannot be evaluated again yet; trying every {} s", RETRY.num_seconds());
        }
    }

    fn in_use<'a>(&self, bundle: &'a Bundle) -> InUse<'a> {
        InUse { bundle: bundle.hash(), every: bundle.reads_time().then_some(self.every) }
    }

    fn sources(&self) -> MutexGuard<'_, HashMap<Source, Known>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn partition_of(source: &Source) -> Option<u16> {
    match source {
        Source::Partition { stream: Stream::Change, partition } => Some(*partition),
        _ => None,
    }
}

/// What the policies say of the resources of an answer.
fn results(
    answer: &Answer,
    now: Timestamp,
    trigger: Trigger,
    evaluate: impl Fn(&ResourceKey, Version, Trigger) -> PolicyResult,
) -> Output {
    let mut output = Output::default();
    for line in &answer.lines {
        match read(line) {
            Ok(Some((key, mut version))) => {
                version.at = now;
                output.emit(0, evaluate(&key, version, trigger));
            }
            Ok(None) => {}
            Err(reason) => error!(reason, "a current resource is not evaluated again"),
        }
    }
    output
}

/// A resource that is there.
fn read(line: &[u8]) -> Result<Option<(ResourceKey, Version)>, String> {
    let key = key_of(line).map_err(|error| elava_bus::cli::chain(&error))?.unwrap_or_default();
    let key: ResourceKey = key.parse().map_err(|_| format!("not a resource key: {key}"))?;
    let row = Row::parse(line).map_err(|error| elava_bus::cli::chain(&error))?;
    Ok(match row {
        Row::Version(version) if version.resource.is_some() => Some((key, *version)),
        Row::Version(_) | Row::Violation(_) => None,
    })
}

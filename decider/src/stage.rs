//! The decider as a stage: one input after the other, by the findings that its source has open.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use elava_bus::{
    Batch, Consumes, Failure, Output, PARTITIONS, Position, Rejection, Resume, Source, Stage, StageSpec, StateChange,
    Stream, group_of_scope, scope_subject_matches,
};
use elava_schemas::config::Config;
use elava_schemas::exceptions::ExceptionsError;
use elava_schemas::{Approval, Decision, DecisionId, Kind, Message, ResourceKey, ScanId, Timestamp, Verdict};

use crate::account::{self, Judgement, Knows, Lot, Released};
use crate::breaker::{self, Settled, Word, Words};
use crate::decide::Context;
use crate::exceptions::{Exceptions, LiveExceptions};
use crate::finding::{Driver, Entry, state_key};
use crate::memory::{APPROVAL, Draft, Memory, Outside};
use crate::{decide_change, decide_execution, decide_result, pass_time};

/// How long approvals are kept: no breaker waits for longer.
const APPROVALS_KEPT: TimeDelta = TimeDelta::days(30);
/// How long one partition waits for the alarm of another one.
const CLAIM: TimeDelta = TimeDelta::seconds(10);
/// After which it looks again.
const LOOK_AGAIN: TimeDelta = TimeDelta::milliseconds(100);

/// Tells the time; an argument, so that tests need not wait for it.
pub type Clock = fn() -> Timestamp;

/// Turns changes, policy results and executions into decisions.
///
/// Holds the open findings, and nothing else: memory is bounded by what is wrong, not by what there is.
#[derive(Debug)]
pub struct Decider {
    config: Config,
    exceptions: LiveExceptions,
    sources: Mutex<HashMap<Source, Arc<Mutex<Memory>>>>,
    /// What people approve and deny is read from a stream of its own, in every group.
    approvals: Mutex<HashMap<Source, Words>>,
    /// Who is about to raise the alarm of an account. Taken before any memory is locked.
    claims: Mutex<HashMap<Lot, (Source, Timestamp)>>,
    /// How often what breakers hold has changed.
    held: AtomicU64,
    /// How often people have said something.
    said: AtomicU64,
    clock: Clock,
}

impl Decider {
    /// A decider without open findings, and without exceptions.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let none = LiveExceptions::open(None).expect("no file is read");
        Self {
            config,
            exceptions: none,
            sources: Mutex::default(),
            approvals: Mutex::default(),
            claims: Mutex::default(),
            held: AtomicU64::new(1),
            said: AtomicU64::new(1),
            clock: || elava_schemas::micros(Utc::now()),
        }
    }

    /// The same, with another clock: after a restart it tells for how long nothing is judged.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// A decider with the exceptions that the configuration names.
    ///
    /// # Errors
    /// When that file cannot be read.
    pub fn open(config: Config) -> Result<Self, ExceptionsError> {
        let file = config.policies.exceptions.clone();
        let exceptions = LiveExceptions::open(file.as_deref().map(Path::new))?;
        Ok(Self { exceptions, ..Self::new(config) })
    }

    fn context<'a>(&'a self, exceptions: &'a Exceptions, now: Timestamp) -> Context<'a> {
        Context { config: &self.config, exceptions, now }
    }

    fn memory(&self, source: &Source) -> Arc<Mutex<Memory>> {
        lock(&self.sources).entry(source.clone()).or_default().clone()
    }

    fn decide_batch(&self, memory: &mut Memory, batch: &Batch) -> Output {
        let exceptions = self.exceptions.current();
        let first = batch.pages.first().map_or(0, |page| page.sequence);
        let received_at = batch.pages.last().map_or(Timestamp::UNIX_EPOCH, |page| page.received_at);
        let context = self.context(&exceptions, received_at);
        memory.begin(first, &context);
        let mut draft = Draft::new(memory);
        let mut output = Output::default();
        let mut rejected = Vec::new();
        let mut approvals = Vec::new();
        let mut recount = false;
        for (page, line, message) in batch.messages(&Self::SPEC, &mut rejected) {
            let (driver, key, id) = match &message {
                Message::Change(change) => (Driver::Change, &change.resource_key, change.id.as_str()),
                Message::PolicyResult(result) => (Driver::Policy, &result.resource_key, result.id.as_str()),
                Message::Execution(execution) => (Driver::Execution, &execution.resource_key, execution.id.as_str()),
                Message::Approval(approval) => {
                    approvals.extend(self.said(&batch.source, approval));
                    continue;
                }
                _ => continue,
            };
            match place(driver, key, &batch.source, &page.subject) {
                Place::Ours => {}
                Place::Others => continue,
                Place::Wrong => {
                    let reason = format!("{} of {key} does not belong on {}", message.kind(), page.subject);
                    output.rejected.push(Rejection { sequence: page.sequence, line, reason });
                    continue;
                }
            }
            let state_key = state_key(driver, key);
            // Only what earlier batches applied counts: a page may hold several rows of a resource.
            let applied = draft.before(&state_key).map_or(0, |entry| entry.sequence);
            if batch.source != Source::Pipe && page.sequence <= applied {
                continue;
            }
            let context = Context { now: page.received_at, ..context };
            // The scans of a scope come one after the other: of the last one, nothing more comes.
            if let Some(settled) = draft.settled_before(key, scan_of(&message)) {
                let judgement = self.judge_alone(&draft, &batch.source, &context, |_, scan| *scan == settled);
                let told = breaker::settle(&mut draft, &context, Settled::Scan(&settled, &judgement));
                told.into_iter().for_each(|decision| output.emit(page.sequence, decision));
            }
            let nothing = Entry::default();
            let before = draft.entry(&state_key).unwrap_or(&nothing);
            if before.last.as_deref() == Some(id) {
                continue;
            }
            let (decisions, mut entry) = match &message {
                Message::Change(change) => decide_change(change, before, &context),
                Message::PolicyResult(result) => decide_result(result, before, &context),
                Message::Execution(execution) => decide_execution(execution, before, &context),
                _ => continue,
            };
            (entry.sequence, entry.last) = (page.sequence, Some(id.to_owned()));
            recount |= breaker::holds(before) && before.findings != entry.findings;
            draft.put(state_key, entry);
            decisions.into_iter().for_each(|decision| output.emit(page.sequence, decision));
        }
        output.rejected.extend(rejected);
        let Draft { changed, settling, .. } = draft;
        memory.settling = settling;
        output.state = memory.end(first, changed, &batch.source, &context);
        output.state.extend(approvals);
        if recount {
            self.held.fetch_add(1, Ordering::Relaxed);
            let settle = crate::decide::delta(self.config.behavior.breaker.settle);
            memory.recount.get_or_insert(received_at + settle);
        }
        output
    }

    /// Remembers what a person has said, and forgets what was said long ago.
    fn said(&self, source: &Source, approval: &Approval) -> Vec<StateChange> {
        if approval.verdict == Verdict::Undo {
            return Vec::new();
        }
        let mut all = lock(&self.approvals);
        let known = all.entry(source.clone()).or_default();
        let id = &approval.decision_id;
        if known.get(id).is_some_and(|word| word.at > approval.at) {
            return Vec::new();
        }
        let Approval { by, reason, at, .. } = approval.clone();
        let word = Word { by, at, denied: approval.verdict == Verdict::Denied, reason };
        let value = serde_json::to_vec(&word).expect("texts serialise");
        let mut state = vec![StateChange { key: format!("{APPROVAL}{id}"), value: Some(value.into()) }];
        for (id, _) in known.extract_if(|_, old| old.at + APPROVALS_KEPT < at) {
            state.push(StateChange { key: format!("{APPROVAL}{id}"), value: None });
        }
        known.insert(id.clone(), word);
        self.said.fetch_add(1, Ordering::Relaxed);
        state
    }

    fn outside(&self) -> Outside {
        let exceptions = self.exceptions.current().generation;
        Outside { held: self.held.load(Ordering::Relaxed), said: self.said.load(Ordering::Relaxed), exceptions }
    }

    /// What follows from the time alone; where nothing more can come, what waits for more is told as well.
    fn pass_time(&self, memory: &mut Memory, source: &Source, now: Timestamp, is_last: bool) -> Output {
        let exceptions = self.exceptions.current();
        let context = self.context(&exceptions, now);
        let outside = self.outside();
        let mut draft = Draft::new(memory);
        let mut decisions: Vec<Decision> = Vec::new();
        let passes = |draft: &mut Draft<'_>, keys: Vec<String>| {
            let mut decisions = Vec::new();
            for key in keys {
                let Some(entry) = draft.entry(&key).filter(|_| !account::are_copies(&key)).cloned() else { continue };
                let (told, entry) = pass_time(entry, &context);
                decisions.extend(told);
                draft.put(key, entry);
            }
            decisions
        };
        // nobody is reminded of an alarm that is found to be over at the same time
        let (alarms, others) =
            memory.due_by(now, exceptions.generation).into_iter().partition(|key| breaker::is_breaker(key));
        decisions.extend(passes(&mut draft, others));
        let judgement = if *source == Source::Pipe {
            // it has all there is
            Some(self.judge_alone(&draft, source, &context, |until, _| is_last || until <= now))
        } else {
            memory.judgement(now).cloned()
        };
        let was_judged = judgement.is_some() && memory.judgement.is_some();
        if let Some(judgement) = &judgement {
            let settled = if is_last { Settled::All(judgement) } else { Settled::Judged(judgement) };
            decisions.extend(breaker::settle(&mut draft, &context, settled));
        }
        // what waits for its judgement may be held by the breakers that there are
        let is_complete = judgement.is_some() || !memory.waits(now);
        if is_complete && (memory.recount.is_some() || draft.alarms().next().is_some()) {
            let mut judgement = judgement.unwrap_or_else(|| Judgement::nothing(now));
            if *source == Source::Pipe {
                judgement.words = breaker::answers(draft.alarms(), &lock(&self.approvals));
            }
            decisions.extend(breaker::recount(&mut draft, &context, &judgement));
        }
        decisions.extend(passes(&mut draft, alarms));
        let mut output = Output::default();
        decisions.into_iter().for_each(|decision| output.emit(0, decision));
        let touches_held = changes_held(&draft);
        let Draft { changed, settling, released, .. } = draft;
        memory.settling = settling;
        output.state = memory.passed(changed, source, &context);
        output.state.extend(memory.release(released, &context));
        if was_judged {
            memory.judgement = None;
            output.state.push(Memory::judged(None));
        }
        if touches_held {
            self.held.fetch_add(1, Ordering::Relaxed);
        }
        if *source == Source::Pipe {
            memory.rechecked(now, self.held.load(Ordering::Relaxed));
            memory.is_unanswered(outside.said);
        }
        memory.generation = exceptions.generation;
        memory.recount = memory.recount.filter(|_| !is_complete);
        output
    }

    /// What is too much, by what one partition has.
    fn judge_alone(
        &self,
        draft: &Draft<'_>,
        source: &Source,
        context: &Context<'_>,
        is_settled: impl Fn(Timestamp, &ScanId) -> bool,
    ) -> Judgement {
        let breaker = &self.config.behavior.breaker;
        let lots = account::waiting_for(draft, breaker, is_settled);
        let in_pipe = *source == Source::Pipe;
        if lots.is_empty() && !in_pipe {
            return Judgement::nothing(context.now);
        }
        let mut released = Released::new();
        draft.released_before(&mut released);
        let tallies = [(source.clone(), account::tally(draft, &lots, &released, breaker))];
        let knows = if in_pipe { Knows::All } else { Knows::Own };
        let totals = if in_pipe { account::totals(source, &tallies, breaker) } else { BTreeMap::new() };
        let judgement = account::judge((source, context.now), lots, (&tallies, knows), breaker, |_| true);
        Judgement { totals, ..judgement.expect("every claim is granted") }
    }

    /// All partitions of this process.
    fn all(&self) -> Vec<(Source, Arc<Mutex<Memory>>)> {
        lock(&self.sources).iter().map(|(source, memory)| (source.clone(), memory.clone())).collect()
    }

    /// What is too much, by what all partitions of this process have. Nothing is told yet: what is told later follows
    /// from what is kept here.
    fn judge(&self, source: &Source, now: Timestamp) -> Output {
        let mut claims = lock(&self.claims);
        let outside = self.outside();
        let own = self.memory(source);
        let breaker = &self.config.behavior.breaker;
        let (has_waited, rechecks, lots, words) = {
            let memory = lock(&own);
            if !memory.wants_judgement(now, outside) {
                return Output::default();
            }
            let lots = account::waiting_for(&Draft::new(&memory), breaker, |until, _| until <= now);
            let words = breaker::answers(memory.alarms(), &lock(&self.approvals));
            (memory.waits(now), memory.rechecks(now, outside.held), lots, words)
        };
        // what was only said asks nobody else
        let all = if has_waited || rechecks { self.all() } else { Vec::new() };
        let is_here = |other: &Source| all.iter().any(|(source, _)| source == other);
        let mut released = Released::new();
        all.iter().for_each(|(_, memory)| lock(memory).released(&mut released));
        let tally = |memory: &Mutex<Memory>| account::tally(&Draft::new(&lock(memory)), &lots, &released, breaker);
        let tallies: Vec<_> = all.iter().map(|(source, memory)| (source.clone(), tally(memory))).collect();
        // partitions that are not back after a restart would seem to hold nothing
        let totals = if rechecks { account::totals(source, &tallies, breaker) } else { BTreeMap::new() };
        let judgement = account::judge((source, now), lots, (&tallies, Knows::All), breaker, |lot| {
            let claim = claims.get(lot).filter(|(by, at)| by != source && is_here(by) && *at + CLAIM > now);
            let is_free = claim.is_none();
            if is_free {
                claims.insert(lot.clone(), (source.clone(), now));
            }
            is_free
        });
        let mut memory = lock(&own);
        let Some(judgement) = judgement else {
            memory.rest(now + LOOK_AGAIN);
            return Output::default();
        };
        let judgement = Judgement { totals, words, ..judgement };
        if rechecks {
            memory.rechecked(now, outside.held);
        }
        if judgement.words.is_empty() {
            memory.is_unanswered(outside.said);
            if !has_waited && judgement.totals.is_empty() {
                return Output::default();
            }
        }
        let state = vec![Memory::judged(Some(&judgement))];
        memory.judgement = Some(judgement);
        Output { state, ..Output::default() }
    }
}

/// Whether what breakers hold differs from what it was, or their alarms do.
fn changes_held(draft: &Draft<'_>) -> bool {
    let nothing = Entry::default();
    draft.changed.iter().any(|(key, entry)| {
        let before = draft.before(key).unwrap_or(&nothing);
        let holds = breaker::holds(before) || breaker::holds(entry) || breaker::is_breaker(key);
        holds && before.findings != entry.findings
    })
}

/// The scan that an input came of.
fn scan_of(message: &Message) -> Option<&ScanId> {
    match message {
        Message::Change(change) => change.scan_id.as_ref(),
        Message::PolicyResult(result) => result.scan_id.as_ref(),
        _ => None,
    }
}

/// Whose a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Ours,
    /// Of another group, which reads it too.
    Others,
    /// It came where its order is not kept.
    Wrong,
}

/// Whether a row came where its order is kept: on the stream that drives its findings, on the
/// subject of its scope. A pipe keeps all order.
fn place(driver: Driver, key: &ResourceKey, source: &Source, subject: &str) -> Place {
    let (stream, partition) = match source {
        Source::Pipe => return Place::Ours,
        Source::Partition { stream, partition } => (*stream, *partition),
    };
    let driven = match driver {
        Driver::Change => Stream::Change,
        Driver::Policy => Stream::Policy,
        Driver::Execution => Stream::Execution,
    };
    if stream != driven || !scope_subject_matches(subject, key.into()) {
        return Place::Wrong;
    }
    // this stream is not partitioned: every group reads all of it
    if driver == Driver::Execution && group_of_scope(key.into(), PARTITIONS) != partition {
        return Place::Others;
    }
    Place::Ours
}

impl Stage for Decider {
    const SPEC: StageSpec = StageSpec {
        name: "decider",
        inputs: elava_bus::reads::DECIDER,
        output: Some(Stream::Decision),
        consumes: |kind| match kind {
            Kind::Change | Kind::PolicyResult => Consumes::Takes,
            Kind::Approval | Kind::Execution => Consumes::TakesAndPasses,
            _ => Consumes::Passes,
        },
        position: Position::Checkpoint,
        batch_pages: 40,
        in_flight: 16,
        health_port: 9313,
    };

    async fn handle(&self, batch: &Batch) -> Result<Output, Failure> {
        let memory = self.memory(&batch.source);
        let output = self.decide_batch(&mut lock(&memory), batch);
        Ok(output)
    }

    fn due(&self, source: &Source) -> Option<Timestamp> {
        let memory = lock(&self.sources).get(source).cloned()?;
        lock(&memory).due(self.outside())
    }

    async fn tick(&self, source: &Source, now: Timestamp) -> Result<Output, Failure> {
        let memory = self.memory(source);
        let had_judgement = lock(&memory).judgement.is_some();
        let output = self.pass_time(&mut lock(&memory), source, now, false);
        if had_judgement {
            lock(&self.claims).retain(|_, (by, _)| by != source);
        }
        // what is judged now is told by the next one, when it is stored
        if *source == Source::Pipe || !output.messages.is_empty() || !output.state.is_empty() {
            return Ok(output);
        }
        Ok(self.judge(source, now))
    }

    /// Nothing more of any scan comes.
    async fn finish(&self) -> Result<Output, Failure> {
        let memory = self.memory(&Source::Pipe);
        let output = self.pass_time(&mut lock(&memory), &Source::Pipe, (self.clock)(), true);
        Ok(output)
    }

    /// Outputs are stored before state: after a crash the state may be behind the checkpoint. So
    /// inputs are taken from the state's own position on; entries that already hold an input skip
    /// it, and outputs up to the checkpoint are dropped by the bus.
    async fn resume(
        &self,
        source: &Source,
        _checkpoint: Option<u64>,
        state: Vec<(String, Bytes)>,
    ) -> Result<Resume, Failure> {
        let exceptions = self.exceptions.current();
        let approvals = state.iter().filter_map(|(key, value)| {
            let id = DecisionId::from(key.strip_prefix(APPROVAL)?.to_owned());
            Some((id, serde_json::from_slice(value).ok()?))
        });
        lock(&self.approvals).insert(source.clone(), approvals.collect());
        self.said.fetch_add(1, Ordering::Relaxed);
        let now = (self.clock)();
        let (mut memory, position) = Memory::read(state, &self.context(&exceptions, now))?;
        if *source == Source::Pipe {
            memory.is_alone();
        }
        self.all().iter().for_each(|(_, other)| lock(other).settle_in(now));
        lock(&self.sources).insert(source.clone(), Arc::new(Mutex::new(memory)));
        Ok(Resume::after(position))
    }

    fn left(&self, source: &Source) {
        lock(&self.claims).retain(|_, (by, _)| by != source);
        lock(&self.sources).remove(source);
        let now = (self.clock)();
        self.all().iter().for_each(|(_, other)| lock(other).recheck_later(now));
        lock(&self.approvals).remove(source);
    }
}

/// What is behind the lock is changed as a whole or not at all: a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

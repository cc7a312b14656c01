//! The executor as a stage: decisions and approvals come in, time does the rest, one step at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use elava_bus::{Batch, Consumes, Failure, Lease, Output, Position, Resume, Source, Stage, StageSpec, Stream};
use elava_schemas::config::{Config, EnforcementMode};
use elava_schemas::{Action, Kind, Message, Timestamp, micros};
use tracing::{info, warn};

use crate::action::needs_vpc;
use crate::cloud::{Cloud, Trouble, Wanted};
use crate::job::{Job, Rules, Turn};
use crate::jobs::{self, Jobs};
use crate::quiet::Quiet;
use crate::words::{self, Words};
use crate::{ExecutorArgs, Reality};

/// A resource that is in no state to be written is tried so often: for about half an hour.
const BUSY_ATTEMPTS: u32 = 12;
/// What was written and still reads as before, for about a minute.
const UNSEEN_ATTEMPTS: u32 = 6;

/// In a pipe nobody waits for longer.
const PIPE_ATTEMPTS: u32 = 3;
const UNSEEN: &str = "it was written, and still reads as before";

/// Carries out decisions.
///
/// What it has to know of a group of decisions comes from two sources, which keep a state of their own each and are run by
/// the same process: the decisions, and what people said of them.
#[derive(Debug)]
pub struct Executor {
    rules: Rules,
    cloud: Cloud,
    sources: Mutex<HashMap<Source, Memory>>,
}

/// What is known of one source.
#[derive(Clone, Debug)]
struct Memory {
    jobs: Arc<Mutex<Jobs>>,
    words: Arc<Mutex<Words>>,
    quiet: Arc<Mutex<Quiet>>,
    lease: Lease,
}

impl Memory {
    fn new(lease: Lease) -> Self {
        let quiet = Arc::new(Mutex::new(Quiet::begin(now())));
        Self { jobs: Arc::default(), words: Arc::default(), quiet, lease }
    }
}

/// The lease may be another's by now.
#[derive(Debug, thiserror::Error)]
#[error("another instance may have taken over")]
struct NotOurs;

impl Executor {
    /// An executor that has not begun.
    #[must_use]
    pub fn new(config: Config, args: ExecutorArgs) -> Self {
        let rules = Rules {
            mode: config.policies.enforcement_mode,
            tagging: config.actions.tagging.clone(),
            protection: config.actions.protection,
            max_per_hour: config.actions.writing.max_per_hour,
        };
        Self { rules, cloud: Cloud::new(config, args.endpoint_url), sources: Mutex::default() }
    }

    fn memory(&self, source: &Source) -> Memory {
        let mut sources = lock(&self.sources);
        sources.entry(source.clone()).or_insert_with(|| Memory::new(Lease::unlimited())).clone()
    }

    /// The decisions of a source, with what people said, where both are known, and from when on they are read.
    fn both(&self, source: &Source) -> Option<(Memory, Arc<Mutex<Words>>, Timestamp)> {
        let sources = lock(&self.sources);
        let decisions = sources.get(source)?.clone();
        match source {
            Source::Pipe => {
                let words = Arc::clone(&decisions.words);
                Some((decisions, words, Timestamp::default()))
            }
            Source::Partition { stream: Stream::Decision, partition } => {
                let said = Source::Partition { stream: Stream::Execution, partition: *partition };
                let said = sources.get(&said)?;
                let read = lock(&decisions.quiet).from().max(lock(&said.quiet).from());
                Some((decisions, Arc::clone(&said.words), read))
            }
            Source::Partition { .. } => None,
        }
    }

    /// Tells what is untold, in a step of its own that follows from the state alone: after a crash it is asked for again,
    /// even where it is stored already, and before it is known what people said.
    fn tell(&self, source: &Source, at: Timestamp) -> Option<Output> {
        let memory = self.memory(source);
        let mut jobs = lock(&memory.jobs);
        if *source != Source::Pipe && jobs.ticked.is_some_and(|ticked| ticked >= at) {
            return Some(Output::default());
        }
        jobs.has_untold().then(|| jobs.tell(at))
    }

    /// Does the next thing that is due for a decision; what that leads to.
    async fn step(
        &self,
        memory: &Memory,
        words: &Mutex<Words>,
        source: &Source,
        at: Timestamp,
    ) -> Result<Output, Failure> {
        let next = {
            let jobs = lock(&memory.jobs);
            jobs.next(&lock(words), &self.rules, at).filter(|(from, ..)| *from <= at)
        };
        let Some((_, number, turn)) = next else { return Ok(Output::default()) };
        let Some(mut job) = lock(&memory.jobs).get(number) else { return Ok(Output::default()) };
        if let Turn::Skip(reason) = turn {
            job.skip(reason, None, at);
        } else {
            let worked = memory.lease.guard(self.work(&mut job, &turn, at, memory)).await;
            let worked = worked.ok_or_else(|| Failure::Unavailable(NotOurs.into()))?;
            if let Err(why) = worked {
                return Ok(self.postpone(memory, &job, source, why, at).await);
            }
        }
        let (decision, phase) = (&job.decision.id, &job.phase);
        info!(%decision, resource = %job.decision.resource_key, ?phase, "went on");
        Ok(lock(&memory.jobs).put(job, at))
    }

    /// Reads, and decides or writes; the reason where that is to be tried again.
    async fn work(&self, job: &mut Job, turn: &Turn, at: Timestamp, memory: &Memory) -> Result<(), String> {
        let attempts = lock(&memory.jobs).failures(job.number);
        let mut found = None;
        let trouble = match self.cloud.read(&job.decision.resource_key, self.wanted(job)).await {
            Ok(reality) => {
                found = job.step().zip(reality.as_ref()).map(|(step, reality)| step.after.now(reality));
                match self.go_on(job, turn, reality.as_ref(), at).await {
                    Ok(()) => return Ok(()),
                    Err(trouble) => trouble,
                }
            }
            Err(trouble) => trouble,
        };
        let error = match trouble {
            Trouble::Gone => {
                self.apply(job, turn, None, at);
                return Ok(());
            }
            Trouble::Later(error) => return Err(error),
            Trouble::Busy(error) if attempts < BUSY_ATTEMPTS => return Err(error),
            Trouble::Unseen if attempts < UNSEEN_ATTEMPTS => return Err(UNSEEN.to_owned()),
            Trouble::Unseen => UNSEEN.to_owned(),
            Trouble::Busy(error) | Trouble::Never(error) => error,
        };
        job.fail(turn, found.as_ref(), error, at);
        Ok(())
    }

    async fn go_on(&self, job: &mut Job, turn: &Turn, reality: Option<&Reality>, at: Timestamp) -> Result<(), Trouble> {
        let step = job.step().cloned();
        let is_open = self.apply(job, turn, reality, at);
        let (Some(step), Some(reality), true) = (step, reality, is_open) else { return Ok(()) };
        self.cloud.write(reality, &step).await?;
        let written = self.cloud.read(&job.decision.resource_key, self.wanted(job)).await?;
        if job.settle(written.as_ref(), now()) {
            return Err(Trouble::Unseen);
        }
        Ok(())
    }

    /// What is there is known; whether it is still to be written.
    fn apply(&self, job: &mut Job, turn: &Turn, reality: Option<&Reality>, at: Timestamp) -> bool {
        match turn {
            Turn::Plan => job.plan(reality, &self.rules, at),
            Turn::PlanUndo(asked) => job.plan_undo(reality, *asked, &self.rules, at),
            Turn::Write => return job.settle(reality, at),
            Turn::Tell | Turn::Skip(_) => {}
        }
        false
    }

    fn wanted(&self, job: &Job) -> Wanted {
        let protection = job.decision.action == Action::Protect;
        Wanted { vpc: needs_vpc(&job.decision, &self.rules.tagging), protection }
    }

    /// It is tried again later, and others go on meanwhile. In a pipe, which nobody reads for that long, it is tried a few
    /// times, and then left to the next run.
    async fn postpone(&self, memory: &Memory, job: &Job, source: &Source, error: String, at: Timestamp) -> Output {
        let failures = lock(&memory.jobs).failures(job.number);
        let pause = pause(failures);
        let (decision, key) = (&job.decision.id, &job.decision.resource_key);
        warn!(%decision, resource = %key, error, ?pause, "cannot be carried out now; trying again");
        let mut again = at + pause;
        if *source == Source::Pipe && failures < PIPE_ATTEMPTS {
            tokio::time::sleep(pause).await;
            again = at;
        }
        lock(&memory.jobs).postpone(job.number, again);
        Output::default()
    }
}

impl Stage for Executor {
    const SPEC: StageSpec = StageSpec {
        name: "executor",
        inputs: elava_bus::reads::EXECUTOR,
        output: Some(Stream::Execution),
        consumes: |kind| match kind {
            Kind::Decision | Kind::Approval | Kind::Execution => Consumes::TakesAndPasses,
            _ => Consumes::Passes,
        },
        position: Position::Checkpoint,
        batch_pages: 40,
        in_flight: 16,
        health_port: 9315,
    };

    /// Takes note, and no more: everything is done in time.
    async fn handle(&self, batch: &Batch) -> Result<Output, Failure> {
        let memory = self.memory(&batch.source);
        let (mut jobs, mut words) = (lock(&memory.jobs), lock(&memory.words));
        let is_wanted = self.rules.mode != EnforcementMode::Notify;
        let mut output = Output::default();
        let mut rejected = Vec::new();
        for (page, _, message) in batch.messages(&Self::SPEC, &mut rejected) {
            let at = micros(page.received_at);
            match message {
                Message::Decision(decision) => output.state.extend(jobs.decide(*decision, is_wanted, at)),
                Message::Approval(approval) => {
                    // a pipe is read whenever it is; the stream knows when it was told
                    let at = if batch.source == Source::Pipe { approval.at } else { at };
                    output.state.extend(words.hear(*approval, at));
                }
                _ => {}
            }
        }
        if let Some(page) = batch.pages.last() {
            output.state.extend(jobs.sweep(page.received_at));
            output.state.extend(words.sweep(page.received_at));
        }
        lock(&memory.quiet).heard(now());
        output.rejected = rejected;
        Ok(output)
    }

    fn due(&self, source: &Source) -> Option<Timestamp> {
        if self.rules.mode == EnforcementMode::Notify {
            return None;
        }
        let (memory, words, read) = self.both(source)?;
        let jobs = lock(&memory.jobs);
        let (from, ..) = jobs.next(&lock(&words), &self.rules, now())?;
        // each step has a time of its own
        let after = jobs.ticked.filter(|_| *source != Source::Pipe).map(|at| at + Duration::from_micros(1));
        Some(from.max(read).max(after.unwrap_or_default()))
    }

    async fn tick(&self, source: &Source, at: Timestamp) -> Result<Output, Failure> {
        if let Some(output) = self.tell(source, at) {
            return Ok(output);
        }
        let Some((memory, words, _)) = self.both(source) else { return Ok(Output::default()) };
        self.step(&memory, &words, source, at).await
    }

    fn taken(&self, source: &Source, lease: &Lease) {
        lock(&self.sources).insert(source.clone(), Memory::new(lease.clone()));
    }

    fn left(&self, source: &Source) {
        lock(&self.sources).remove(source);
    }

    async fn resume(
        &self,
        source: &Source,
        checkpoint: Option<u64>,
        state: Vec<(String, Bytes)>,
    ) -> Result<Resume, Failure> {
        let lease = self.memory(source).lease;
        let memory = Memory::new(lease);
        for (key, value) in state {
            restore(&memory, &key, &value).map_err(|error| Failure::Fatal(error.into()))?;
        }
        lock(&self.sources).insert(source.clone(), memory);
        Ok(Resume::after(checkpoint))
    }
}

/// What one entry of the state says. Others are the bus's own.
fn restore(memory: &Memory, key: &str, value: &[u8]) -> serde_json::Result<()> {
    match key {
        jobs::CLOCK => lock(&memory.jobs).ticked = Some(serde_json::from_slice(value)?),
        key if key.starts_with(jobs::PREFIX) => lock(&memory.jobs).restore(value)?,
        key if key.starts_with(words::PREFIX) => lock(&memory.words).restore(value)?,
        _ => {}
    }
    Ok(())
}

/// One second, doubled each time, five minutes at most.
fn pause(failures: u32) -> Duration {
    Duration::from_secs(1).saturating_mul(1 << (failures - 1).min(9)).min(Duration::from_secs(300))
}

fn now() -> Timestamp {
    micros(Utc::now())
}

/// What is behind the lock is changed as a whole or not at all: a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

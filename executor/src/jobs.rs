//! The decisions of one source that act, in order, and whose turn it is. Pure.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use chrono::TimeDelta;
use elava_bus::{Emit, Output, StateChange};
use elava_schemas::{Decision, DecisionId, FindingId, Timestamp};

use crate::action;
use crate::job::{Job, Phase, Rules, Turn};
use crate::words::{Words, key};

/// How long what was done can be taken back, and what is over is known.
const REMEMBERED: TimeDelta = TimeDelta::days(30);
/// The time that the limit on writes is about.
const HOUR: TimeDelta = TimeDelta::hours(1);
/// Where the keys of the state begin.
pub(crate) const PREFIX: &str = "job.";
/// The key of the time of the last step.
pub(crate) const CLOCK: &str = "clock";

/// All decisions of a source that act, for as long as they matter.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    jobs: BTreeMap<u64, Job>,
    numbers: HashMap<DecisionId, u64>,
    /// Those of each finding that are not begun.
    waiting: HashMap<FindingId, Vec<u64>>,
    /// What could not be done for now: how often it was tried, and when it is tried again.
    later: HashMap<u64, (u32, Timestamp)>,
    /// When the last step was.
    pub(crate) ticked: Option<Timestamp>,
    swept: Option<Timestamp>,
}

impl Jobs {
    /// Takes a decision in; what that changes. Given again it changes nothing.
    pub(crate) fn decide(&mut self, decision: Decision, is_wanted: bool, now: Timestamp) -> Vec<StateChange> {
        let known = self.numbers.get(&decision.id).copied();
        let mut changed = self.supersede(&decision, known, now);
        if known.is_none() && is_wanted && action::acts(decision.action) {
            let number = self.jobs.last_key_value().map_or(1, |(last, _)| last + 1);
            self.add(Job::new(number, decision, now));
            changed.push(self.change(number));
        }
        changed
    }

    /// What was decided of the same finding before, and is not begun, is void.
    fn supersede(&mut self, decision: &Decision, known: Option<u64>, now: Timestamp) -> Vec<StateChange> {
        let waiting = self.waiting.get(&decision.finding).cloned().unwrap_or_default();
        let mut changed = Vec::new();
        for number in waiting.into_iter().filter(|number| known.is_none_or(|known| known > *number)) {
            let Some(job) = self.jobs.get_mut(&number) else { continue };
            // one transition can lead to several decisions
            let is_same = (&job.decision.caused_by, job.decision.state) == (&decision.caused_by, decision.state);
            if !is_same {
                job.skip(format!("superseded by {}", decision.id), None, now);
                self.settled(number);
                changed.push(self.change(number));
            }
        }
        changed
    }

    /// Forgets what is long over, seen from `now`.
    pub(crate) fn sweep(&mut self, now: Timestamp) -> Vec<StateChange> {
        if self.swept.is_some_and(|swept| now - swept < HOUR) {
            return Vec::new();
        }
        self.swept = Some(now);
        let is_old = |job: &&Job| {
            let is_over = matches!(job.phase, Phase::Over | Phase::Executed(_)) && job.untold.is_empty();
            is_over && now - job.touched > REMEMBERED
        };
        let old: Vec<Job> = self.jobs.values().filter(is_old).cloned().collect();
        let forget = |job: Job| {
            self.jobs.remove(&job.number);
            self.numbers.remove(&job.decision.id);
            StateChange { key: key(PREFIX, &job.decision.id), value: None }
        };
        old.into_iter().map(forget).collect()
    }

    /// From when on there is something to do, and what; seen from `now`. What is due comes in the order of the stream.
    pub(crate) fn next(&self, words: &Words, rules: &Rules, now: Timestamp) -> Option<(Timestamp, u64, Turn)> {
        let free = self.free(rules, now);
        let turn = |job: &Job| {
            let account = job.decision.resource_key.account.as_str();
            let free = free.get(account).copied().unwrap_or_default();
            let (from, turn) = job.turn(words.of(&job.decision.id), rules, free)?;
            let again = self.later.get(&job.number).map_or(from, |(_, again)| *again);
            // what is told is told at once, and first: nothing else is done while it is untold
            let is_work = turn != Turn::Tell;
            Some((is_work, from.max(again).max(now), from.max(again), job.number, turn))
        };
        let next =
            self.jobs.values().filter_map(turn).min_by_key(|(is_work, due, _, number, _)| (*is_work, *due, *number));
        next.map(|(_, _, from, number, turn)| (from, number, turn))
    }

    /// When the next write of each account that has had as many as it may in an hour can begin.
    fn free(&self, rules: &Rules, now: Timestamp) -> HashMap<&str, Timestamp> {
        let mut begun: HashMap<&str, Vec<Timestamp>> = HashMap::new();
        for job in self.jobs.values() {
            let account = begun.entry(job.decision.resource_key.account.as_str()).or_default();
            account.extend(job.begun.iter().filter(|at| now - **at < HOUR));
        }
        let limit = usize::try_from(rules.max_per_hour).unwrap_or(usize::MAX);
        let free = |mut times: Vec<Timestamp>| {
            times.sort_unstable();
            match times.len().checked_sub(limit) {
                None => Timestamp::default(),
                // what may never be
                Some(_) if limit == 0 => now + HOUR,
                Some(over) => times[over] + HOUR,
            }
        };
        begun.into_iter().map(|(account, times)| (account, free(times))).collect()
    }

    /// Whether there is something to tell.
    pub(crate) fn has_untold(&self) -> bool {
        self.jobs.values().any(|job| !job.untold.is_empty())
    }

    /// Tells all that is untold. It follows from the state alone.
    pub(crate) fn tell(&mut self, now: Timestamp) -> Output {
        let mut output = Output::default();
        let numbers: Vec<u64> = self.jobs.values().filter(|job| !job.untold.is_empty()).map(|job| job.number).collect();
        for number in numbers {
            let Some(job) = self.jobs.get_mut(&number) else { continue };
            let told = std::mem::take(&mut job.untold);
            output.messages.extend(told.into_iter().map(|execution| Emit::new(number, &execution.into())));
            output.state.push(self.change(number));
        }
        self.passed(now, &mut output);
        output
    }

    /// A copy of one.
    pub(crate) fn get(&self, number: u64) -> Option<Job> {
        self.jobs.get(&number).cloned()
    }

    /// A step of one is done.
    pub(crate) fn put(&mut self, job: Job, now: Timestamp) -> Output {
        let number = job.number;
        self.later.remove(&number);
        self.jobs.insert(number, job);
        self.settled(number);
        let mut output = Output { state: vec![self.change(number)], ..Output::default() };
        self.passed(now, &mut output);
        output
    }

    /// How often one could not be done, this time included.
    pub(crate) fn failures(&self, number: u64) -> u32 {
        self.later.get(&number).map_or(1, |(failures, _)| failures + 1)
    }

    /// One is tried again later; the others go on.
    pub(crate) fn postpone(&mut self, number: u64, again: Timestamp) {
        let failures = self.failures(number);
        self.later.insert(number, (failures, again));
    }

    fn passed(&mut self, now: Timestamp, output: &mut Output) {
        self.ticked = Some(now);
        let value = serde_json::to_vec(&now).expect("a time serialises");
        output.state.push(StateChange { key: CLOCK.to_owned(), value: Some(Bytes::from(value)) });
    }

    /// Reads one entry of the state. The order of entries does not matter.
    pub(crate) fn restore(&mut self, value: &[u8]) -> serde_json::Result<()> {
        let job: Job = serde_json::from_slice(value)?;
        self.add(job);
        Ok(())
    }

    fn add(&mut self, job: Job) {
        self.numbers.insert(job.decision.id.clone(), job.number);
        if job.phase == Phase::Waiting {
            self.waiting.entry(job.decision.finding.clone()).or_default().push(job.number);
        }
        self.jobs.insert(job.number, job);
    }

    /// One does not wait any more, if so.
    fn settled(&mut self, number: u64) {
        let Some(job) = self.jobs.get(&number).filter(|job| job.phase != Phase::Waiting) else { return };
        if let Some(waiting) = self.waiting.get_mut(&job.decision.finding) {
            waiting.retain(|other| *other != number);
            if waiting.is_empty() {
                self.waiting.remove(&job.decision.finding);
            }
        }
    }

    fn change(&self, number: u64) -> StateChange {
        let job = self.jobs.get(&number).expect("only what is there changes");
        let value = serde_json::to_vec(job).expect("a job serialises");
        StateChange { key: key(PREFIX, &job.decision.id), value: Some(Bytes::from(value)) }
    }
}

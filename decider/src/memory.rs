//! The findings of one source between inputs, and how they survive the process.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use chrono::TimeDelta;
use elava_bus::{Failure, Source, StateChange};
use elava_schemas::{ResourceKey, ScanId, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::account::{self, Judgement, Lot, Released};
use crate::decide::{Context, delta};
use crate::finding::{Entry, Finding};
use crate::{breaker, due};

/// The key under which the bus gives the position up to which the state is complete.
const POSITION: &str = "position";
/// The key of the state's format. Stored with the first batch of a source, which has the bus keep
/// the position from then on: a scope where nothing is wrong need not be read again from its start.
const FORMAT: &str = "format";
const FORMAT_VERSION: u64 = 1;
/// The key of what was found to be too much, until what follows from it is stored.
const JUDGEMENT: &str = "judgement";
/// The key of what people have said is true.
const RELEASED: &str = "released";
/// How long what alarms hold in all is not counted again.
const RECHECK: TimeDelta = TimeDelta::seconds(5);
/// How long nothing is judged after a partition has come: others come right after it.
const SETTLE_IN: TimeDelta = TimeDelta::seconds(2);
/// The same for what alarms hold, which may end them.
const RECHECK_IN: TimeDelta = TimeDelta::seconds(60);
/// Where the keys of approvals begin.
pub(crate) const APPROVAL: &str = "approval.";

/// The findings of one source.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    entries: HashMap<String, Entry>,
    /// When something follows from the time, and for which entry.
    due: BTreeSet<(Timestamp, String)>,
    /// When something has waited for long enough for more of its scan, and in which entry.
    settles: BTreeSet<(Timestamp, String)>,
    /// The keys of the entries of breakers.
    alarms: BTreeSet<String>,
    /// Of which scan of a scope more is waited for.
    pub(crate) settling: HashMap<String, ScanId>,
    /// When what breakers hold is counted again.
    pub(crate) recount: Option<Timestamp>,
    /// What was found to be too much.
    pub(crate) judgement: Option<Judgement>,
    /// Since when lots that alarms of this source held are known to be true.
    released: Vec<Known>,
    /// Nothing is judged before then.
    rests_until: Option<Timestamp>,
    /// When what alarms hold in all is counted again, and what had changed when it was last.
    recheck: Recheck,
    /// What had been said when its alarms were last found to be unanswered.
    heard: u64,
    /// The exceptions that were in use when it was last looked at.
    pub(crate) generation: u64,
    /// Entries without findings. They are kept, and stored, until a batch after the one that
    /// resolved the last finding: should state be stored only in part, inputs that are given again
    /// must find that they have been applied. Without that, a second drift would open a finding
    /// anew that is over.
    closed: Vec<String>,
    /// Whether the format is stored.
    has_format: bool,
    /// The last batch can be given again, and must then lead to the same outputs.
    undo: Option<Undo>,
}

/// What lies outside of a source: each number is another one when that has changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outside {
    /// What alarms hold anywhere.
    pub(crate) held: u64,
    /// What people have said.
    pub(crate) said: u64,
    /// The exceptions.
    pub(crate) exceptions: u64,
}

/// A lot that a person has said is true.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known {
    lot: Lot,
    since: Timestamp,
}

/// When what alarms of accounts hold is counted.
#[derive(Clone, Copy, Debug, Default)]
struct Recheck {
    not_before: Timestamp,
    held: u64,
}

/// When an entry is stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Alarms that are raised.
    Begins,
    Other,
    /// Alarms that are over.
    Ends,
}

/// The last batch: its first position, and what it changed, as it was before.
#[derive(Debug)]
struct Undo {
    first: u64,
    entries: HashMap<String, Option<Entry>>,
    closed: Vec<String>,
    has_format: bool,
}

/// What is being changed: nothing of it is applied yet, so that a panic leaves no half of a batch behind.
pub(crate) struct Draft<'a> {
    memory: &'a Memory,
    pub(crate) changed: HashMap<String, Entry>,
    /// As in the memory.
    pub(crate) settling: HashMap<String, ScanId>,
    /// What people have said is true.
    pub(crate) released: Vec<Lot>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(memory: &'a Memory) -> Self {
        Self { memory, changed: HashMap::new(), settling: memory.settling.clone(), released: Vec::new() }
    }

    /// The scan of a resource's scope of which nothing more comes, because another one has begun.
    pub(crate) fn settled_before(&self, key: &ResourceKey, scan: Option<&ScanId>) -> Option<ScanId> {
        // most of the time nothing waits, and no text is made of the scope
        if self.settling.is_empty() {
            return None;
        }
        self.settling.get(&breaker::scope_of(key)).filter(|settling| scan != Some(*settling)).cloned()
    }

    /// Breakers that have tripped and not ended, by now.
    pub(crate) fn alarms(&self) -> impl Iterator<Item = &Finding> {
        let unchanged = self.memory.alarms.iter().filter(|key| !self.changed.contains_key(*key));
        let unchanged = unchanged.filter_map(|key| self.memory.entries.get(key));
        let changed = self.changed.iter().filter(|(key, _)| breaker::is_breaker(key)).map(|(_, entry)| entry);
        unchanged.chain(changed).flat_map(|entry| &entry.findings)
    }

    /// What people had said is true, before.
    pub(crate) fn released_before(&self, known: &mut Released) {
        self.memory.released(known);
    }

    /// The entry of a state key, as it is by now.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.changed.get(key).or_else(|| self.memory.entries.get(key))
    }

    /// The entry of a state key, as earlier batches left it.
    pub(crate) fn before(&self, key: &str) -> Option<&'a Entry> {
        self.memory.entries.get(key)
    }

    /// Every entry, as it is by now.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&String, &Entry)> {
        let unchanged = self.memory.entries.iter().filter(|(key, _)| !self.changed.contains_key(*key));
        unchanged.chain(&self.changed)
    }

    /// Puts an entry in the place of the one that was there, if it differs.
    pub(crate) fn put(&mut self, key: String, entry: Entry) {
        let is_same =
            self.entry(&key).is_some_and(|known| known.findings == entry.findings && known.past == entry.past);
        let is_nothing = entry.is_empty() && self.entry(&key).is_none();
        if !is_same && !is_nothing {
            self.settling.extend(breaker::settling(&entry));
            self.changed.insert(key, entry);
        }
    }
}

impl Memory {
    /// When something follows from the time, or from what lies outside.
    pub(crate) fn due(&self, outside: Outside) -> Option<Timestamp> {
        if let Some(judgement) = &self.judgement {
            return Some(judgement.at);
        }
        let at_once = |is_due: bool| is_due.then_some(Timestamp::UNIX_EPOCH);
        let settles = self.settles.first().map(|(at, _)| *at);
        let recheck = self.recheck_at(outside.held);
        let judged = [settles, recheck, self.recount, at_once(self.wants_answer(outside.said))];
        let judged = judged.into_iter().flatten().min().map(|at| self.rests_until.map_or(at, |until| at.max(until)));
        let due = self.due.first().map(|(at, _)| *at);
        [judged, due, at_once(self.generation != outside.exceptions)].into_iter().flatten().min()
    }

    /// When what its alarms hold is to be counted again.
    fn recheck_at(&self, held: u64) -> Option<Timestamp> {
        let is_due = self.recheck.held != held && self.alarms().any(account::is_of_account);
        is_due.then_some(self.recheck.not_before)
    }

    /// Whether what its alarms hold is counted again at that time.
    pub(crate) fn rechecks(&self, now: Timestamp, held: u64) -> bool {
        self.recheck_at(held).is_some_and(|at| at <= now)
    }

    /// Whether somebody may have answered one of its alarms since they were last looked at.
    fn wants_answer(&self, said: u64) -> bool {
        self.heard != said && !self.alarms.is_empty()
    }

    /// Notes that nobody had answered any of its alarms.
    pub(crate) fn is_unanswered(&mut self, said: u64) {
        self.heard = said;
    }

    /// Whether something is to be judged at that time.
    pub(crate) fn wants_judgement(&self, now: Timestamp, outside: Outside) -> bool {
        let rests = self.rests_until.is_some_and(|until| now < until);
        !rests && (self.waits(now) || self.rechecks(now, outside.held) || self.wants_answer(outside.said))
    }

    /// Whether something has waited for more of its scan for long enough.
    pub(crate) fn waits(&self, now: Timestamp) -> bool {
        self.settles.first().is_some_and(|(until, _)| *until <= now)
    }

    /// Nothing is judged before then.
    pub(crate) fn rest(&mut self, until: Timestamp) {
        self.rests_until = self.rests_until.max(Some(until));
    }

    /// It waits for nobody else.
    pub(crate) fn is_alone(&mut self) {
        self.rests_until = None;
    }

    /// Adds what people have said is true to what is known of others.
    pub(crate) fn released(&self, known: &mut Released) {
        for Known { lot, since } in &self.released {
            let at = known.entry(lot.clone()).or_insert(*since);
            *at = (*since).max(*at);
        }
    }

    /// A person has said that lots are true: what opened before is no reason to hold more of it back, which is
    /// remembered for as long as it could be one.
    pub(crate) fn release(&mut self, lots: Vec<Lot>, context: &Context<'_>) -> Option<StateChange> {
        if lots.is_empty() {
            return None;
        }
        let within = delta(context.config.behavior.breaker.account.within);
        self.released.retain(|known| known.since + within > context.now && !lots.contains(&known.lot));
        self.released.extend(lots.into_iter().map(|lot| Known { lot, since: context.now }));
        let value = serde_json::to_vec(&self.released).expect("a list of texts");
        Some(StateChange { key: RELEASED.to_owned(), value: Some(value.into()) })
    }

    /// Notes that what it holds was counted.
    pub(crate) fn rechecked(&mut self, now: Timestamp, held: u64) {
        self.recheck = Recheck { not_before: now + RECHECK, held };
    }

    /// Others have come or gone: what they hold is counted when all of them are there.
    pub(crate) fn recheck_later(&mut self, now: Timestamp) {
        self.recheck = Recheck { not_before: now + RECHECK_IN, held: 0 };
    }

    /// Others have come, and more may.
    pub(crate) fn settle_in(&mut self, now: Timestamp) {
        self.recheck_later(now);
        self.rest(now + SETTLE_IN);
    }

    /// What was found to be too much by then.
    pub(crate) fn judgement(&self, now: Timestamp) -> Option<&Judgement> {
        self.judgement.as_ref().filter(|judgement| judgement.at <= now)
    }

    /// What is to be stored of what was found to be too much.
    pub(crate) fn judged(judgement: Option<&Judgement>) -> StateChange {
        let value = judgement.map(|judgement| serde_json::to_vec(judgement).expect("it has string keys").into());
        StateChange { key: JUDGEMENT.to_owned(), value }
    }

    /// The entries for which something follows from the time by now; all of them when the exceptions have changed.
    pub(crate) fn due_by(&self, now: Timestamp, generation: u64) -> Vec<String> {
        if generation != self.generation {
            let mut all: Vec<String> = self.entries.keys().cloned().collect();
            all.sort_unstable();
            return all;
        }
        self.due.iter().take_while(|(at, _)| *at <= now).map(|(_, key)| key.clone()).collect()
    }

    /// Breakers that have tripped and not ended.
    pub(crate) fn alarms(&self) -> impl Iterator<Item = &Finding> {
        self.alarms.iter().filter_map(|key| self.entries.get(key)).flat_map(|entry| &entry.findings)
    }

    /// Takes back the last batch if it is given again.
    pub(crate) fn begin(&mut self, first: u64, context: &Context<'_>) {
        let Some(undo) = self.undo.take().filter(|undo| first <= undo.first) else { return };
        for (key, entry) in undo.entries {
            self.set(key, entry, context);
        }
        self.closed = undo.closed;
        self.has_format = undo.has_format;
        self.settling = self.entries.values().filter_map(breaker::settling).collect();
    }

    /// Applies what the batch changed, and says what of it is to be stored.
    pub(crate) fn end(
        &mut self,
        first: u64,
        changed: HashMap<String, Entry>,
        source: &Source,
        context: &Context<'_>,
    ) -> Vec<StateChange> {
        let mut closed: Vec<String> =
            changed.iter().filter(|(_, entry)| entry.is_empty()).map(|(key, _)| key.clone()).collect();
        let closed_before = std::mem::take(&mut self.closed);
        let mut before: HashMap<String, Option<Entry>> = HashMap::new();
        for key in closed_before.iter().filter(|key| !changed.contains_key(*key)) {
            // After a restart the first inputs may still be replayed ones.
            if self.entries.get(key).is_some_and(|entry| entry.sequence < first) {
                before.insert(key.clone(), self.set(key.clone(), None, context));
            } else {
                closed.push(key.clone());
            }
        }
        for (key, entry) in changed {
            before.insert(key.clone(), self.set(key, Some(entry), context));
        }
        self.closed = closed;

        let mut state = self.stored(&before, source);
        let has_format = std::mem::replace(&mut self.has_format, true);
        if !has_format {
            state.insert(0, StateChange { key: FORMAT.to_owned(), value: Some(FORMAT_VERSION.to_string().into()) });
        }
        self.undo = Some(Undo { first, entries: before, closed: closed_before, has_format });
        state
    }

    /// Applies what followed from the time, and says what of it is to be stored. All inputs before are stored by now.
    pub(crate) fn passed(
        &mut self,
        changed: HashMap<String, Entry>,
        source: &Source,
        context: &Context<'_>,
    ) -> Vec<StateChange> {
        self.undo = None;
        let closed = std::mem::take(&mut self.closed);
        let mut before: HashMap<String, Option<Entry>> =
            changed.into_iter().map(|(key, entry)| (key.clone(), self.set(key, Some(entry), context))).collect();
        closed.into_iter().for_each(|key| _ = before.entry(key).or_default());
        for key in before.keys() {
            if self.entries.get(key).is_some_and(Entry::is_empty) {
                self.set(key.clone(), None, context);
            }
        }
        self.stored(&before, source)
    }

    /// Puts an entry in its place, and gives back the one that was there.
    fn set(&mut self, key: String, entry: Option<Entry>, context: &Context<'_>) -> Option<Entry> {
        let due_of = |entry: &Entry| due(entry, context);
        let before = self.entries.remove(&key);
        if breaker::is_breaker(&key) {
            self.heard = 0;
            if entry.is_some() {
                self.alarms.insert(key.clone())
            } else {
                self.alarms.remove(&key)
            };
        }
        if let Some(at) = before.as_ref().and_then(due_of) {
            self.due.remove(&(at, key.clone()));
        }
        if let Some(at) = before.as_ref().and_then(breaker::settles_at) {
            self.settles.remove(&(at, key.clone()));
        }
        if let Some(entry) = entry {
            if let Some(at) = due_of(&entry) {
                self.due.insert((at, key.clone()));
            }
            if let Some(at) = breaker::settles_at(&entry) {
                self.settles.insert((at, key.clone()));
            }
            self.entries.insert(key, entry);
        }
        before
    }

    /// What has changed, in the order in which it is stored.
    ///
    /// More than one atomic batch can hold is stored in parts. An alarm is stored before what it holds, and ends after
    /// that: whatever part is stored, what is held has its alarm, and goes its way when the same is done again.
    fn stored(&self, before: &HashMap<String, Option<Entry>>, source: &Source) -> Vec<StateChange> {
        let rank = |key: &str, before: Option<&Entry>| {
            if !breaker::is_breaker(key) {
                return Rank::Other;
            }
            let has = |entry: Option<&Entry>, alarm: &Finding| {
                entry.is_some_and(|entry| entry.findings.iter().any(|known| known.fingerprint == alarm.fingerprint))
            };
            let now = self.entries.get(key);
            let is_new = now.is_some_and(|now| now.findings.iter().any(|alarm| !has(before, alarm)));
            let is_over = before.is_some_and(|before| before.findings.iter().any(|alarm| !has(now, alarm)));
            if is_over && !is_new { Rank::Ends } else { Rank::Begins }
        };
        let mut keys: Vec<(Rank, &String)> =
            before.iter().map(|(key, before)| (rank(key, before.as_ref()), key)).collect();
        keys.sort_unstable();
        keys.into_iter().map(|(_, key)| self.state_change(key, source)).collect()
    }

    fn state_change(&self, key: &str, source: &Source) -> StateChange {
        let in_pipe = *source == Source::Pipe;
        let kept = self.entries.get(key).filter(|entry| !(in_pipe && entry.is_empty()));
        let value = kept.map(|entry| {
            let sequence = if in_pipe { 0 } else { entry.sequence };
            let stored = Entry { sequence, ..entry.clone() };
            Bytes::from(serde_json::to_vec(&stored).expect("an entry has string keys and finite numbers"))
        });
        StateChange { key: key.to_owned(), value }
    }

    /// Reads what was stored, without approvals; returns the position up to which it is complete.
    pub(crate) fn read(state: Vec<(String, Bytes)>, context: &Context<'_>) -> Result<(Self, Option<u64>), Failure> {
        let (mut memory, mut position) = (Self::default(), None);
        for (key, value) in state {
            let number = || std::str::from_utf8(&value).ok().and_then(|text| text.trim().parse::<u64>().ok());
            match key.as_str() {
                POSITION => position = number(),
                JUDGEMENT => memory.judgement = serde_json::from_slice(&value).ok(),
                RELEASED => memory.released = serde_json::from_slice(&value).unwrap_or_default(),
                FORMAT if number() == Some(FORMAT_VERSION) => memory.has_format = true,
                FORMAT => return Err(Failure::Fatal("the open findings were stored by a newer version".into())),
                key if key.starts_with(APPROVAL) => {}
                _ => match serde_json::from_slice::<Entry>(&value) {
                    Ok(entry) => {
                        if entry.is_empty() {
                            memory.closed.push(key.clone());
                        }
                        memory.set(key, Some(entry), context);
                    }
                    // Its findings open anew when they are seen next; better told twice than not at all.
                    Err(error) => warn!(key, %error, "an entry of the state cannot be read and is left out"),
                },
            }
        }
        // exceptions may have changed meanwhile, and what breakers hold may have ended
        memory.generation = context.exceptions.generation.wrapping_sub(1);
        memory.settling = memory.entries.values().filter_map(breaker::settling).collect();
        let holds = memory.entries.values().any(breaker::holds);
        memory.recount = (holds || !memory.alarms.is_empty()).then_some(Timestamp::UNIX_EPOCH);
        memory.settle_in(context.now);
        Ok((memory, position))
    }
}

//! The decider as a stage: keeps the open findings of every source between inputs.

use std::collections::HashMap;
use std::collections::hash_map::Entry as MapEntry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use elava_bus::{
    Batch, Consumes, Emit, Failure, Output, Position, Rejection, Resume, Source, Stage, StageSpec, StateChange, Stream,
    scope_subject_matches,
};
use elava_schemas::config::Config;
use elava_schemas::{Kind, Message, ResourceKey};
use tracing::warn;

use crate::finding::{Driver, Entry, Finding, state_key};
use crate::{decide_change, decide_result};

/// The key under which the bus gives the position up to which the state is complete.
const POSITION: &str = "position";

/// Turns changes and policy results into decisions.
///
/// Holds the open findings, and nothing else: memory is bounded by what is wrong, not by what there is.
#[derive(Debug)]
pub struct Decider {
    config: Config,
    sources: Mutex<HashMap<Source, Memory>>,
}

/// The open findings of one source.
#[derive(Debug, Default)]
struct Memory {
    entries: HashMap<String, Entry>,
    /// Entries without findings. They are kept, and stored, until the batch after the one that
    /// resolved the last: should state be stored only in part, replayed inputs must find that they
    /// have been applied. Without that, a second drift would open a finding anew that is over.
    closed: Vec<String>,
    /// The last batch can be given again, and must then lead to the same outputs.
    undo: Option<Undo>,
}

/// The last batch: its first position, and what it changed, as it was before.
#[derive(Debug)]
struct Undo {
    first: u64,
    entries: HashMap<String, Option<Entry>>,
    closed: Vec<String>,
}

impl Decider {
    /// A decider without open findings.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, sources: Mutex::default() }
    }

    /// The lock is never held while anything can panic half-way through a change.
    fn sources(&self) -> MutexGuard<'_, HashMap<Source, Memory>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decide_batch(&self, memory: &mut Memory, batch: &Batch) -> Output {
        let mut output = Output::default();
        let mut rejected = Vec::new();
        let first = batch.pages.first().map_or(0, |page| page.sequence);
        memory.begin(first);
        let mut touched: HashMap<String, Option<Entry>> = HashMap::new();
        let mut misplaced = Vec::new();
        for (page, line, message) in batch.messages(&Self::SPEC, &mut rejected) {
            let (driver, key) = match &message {
                Message::Change(change) => (Driver::Change, &change.resource_key),
                Message::PolicyResult(result) => (Driver::Policy, &result.resource_key),
                _ => continue,
            };
            if !belongs(driver, key, &batch.source, &page.subject) {
                let reason = format!("{} of {key} does not belong on {}", message.kind(), page.subject);
                misplaced.push(Rejection { sequence: page.sequence, line, reason });
                continue;
            }
            let state_key = state_key(driver, key);
            let entry = memory.entries.get(&state_key);
            // Positions within this batch do not count: a page may hold several rows of a resource.
            let applied = touched.get(&state_key).map_or(entry, Option::as_ref).map_or(0, |entry| entry.sequence);
            if batch.source != Source::Pipe && page.sequence <= applied {
                continue;
            }
            let open = entry.map(|entry| entry.findings.clone()).unwrap_or_default();
            let (decisions, findings) = match &message {
                Message::Change(change) => decide_change(change, open, &self.config),
                Message::PolicyResult(result) => decide_result(result, open, &self.config),
                _ => continue,
            };
            let emit = |decision| Emit { sequence: page.sequence, message: Message::Decision(Box::new(decision)) };
            output.messages.extend(decisions.into_iter().map(emit));
            if findings != entry.map_or(&[][..], |entry| &entry.findings) {
                let before = memory.set(&state_key, page.sequence, findings);
                touched.entry(state_key).or_insert(before);
            }
        }
        output.rejected = rejected;
        output.rejected.extend(misplaced);
        output.state = memory.end(first, touched, &batch.source);
        output
    }
}

impl Memory {
    /// Takes back the last batch if it is given again.
    fn begin(&mut self, first: u64) {
        let Some(undo) = self.undo.take().filter(|undo| first <= undo.first) else { return };
        for (key, entry) in undo.entries {
            match entry {
                Some(entry) => self.entries.insert(key, entry),
                None => self.entries.remove(&key),
            };
        }
        self.closed = undo.closed;
    }

    /// Replaces the findings of an entry; returns the entry as it was.
    fn set(&mut self, key: &str, sequence: u64, findings: Vec<Finding>) -> Option<Entry> {
        self.entries.insert(key.to_owned(), Entry { sequence, findings })
    }

    /// What the batch changed, to be stored.
    fn end(&mut self, first: u64, mut touched: HashMap<String, Option<Entry>>, source: &Source) -> Vec<StateChange> {
        let empty = |entry: Option<&Entry>| entry.is_some_and(|entry| entry.findings.is_empty());
        let mut closed: Vec<String> = touched.keys().filter(|key| empty(self.entries.get(*key))).cloned().collect();
        let closed_before = std::mem::take(&mut self.closed);
        for key in &closed_before {
            // After a restart the first inputs may still be replayed ones.
            let passed = self.entries.get(key).is_some_and(|entry| entry.sequence < first);
            match touched.entry(key.clone()) {
                MapEntry::Occupied(_) => {}
                MapEntry::Vacant(vacant) if passed => drop(vacant.insert(self.entries.remove(key))),
                MapEntry::Vacant(_) => closed.push(key.clone()),
            }
        }
        self.closed = closed;
        let mut state: Vec<StateChange> = touched.keys().map(|key| self.state_change(key, source)).collect();
        state.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        self.undo = Some(Undo { first, entries: touched, closed: closed_before });
        state
    }

    fn state_change(&self, key: &str, source: &Source) -> StateChange {
        let in_pipe = *source == Source::Pipe;
        let kept = self.entries.get(key).filter(|entry| !(in_pipe && entry.findings.is_empty()));
        let value = kept.map(|entry| {
            let sequence = if in_pipe { 0 } else { entry.sequence };
            let stored = Entry { sequence, findings: entry.findings.clone() };
            Bytes::from(serde_json::to_vec(&stored).expect("an entry has string keys and finite numbers"))
        });
        StateChange { key: key.to_owned(), value }
    }
}

/// Whether a row came where its order is kept: on the stream that drives its findings, on the
/// subject of its scope. A pipe keeps all order.
fn belongs(driver: Driver, key: &ResourceKey, source: &Source, subject: &str) -> bool {
    let stream = match source {
        Source::Pipe => return true,
        Source::Partition { stream, .. } => *stream,
    };
    let driven = match driver {
        Driver::Change => Stream::Change,
        Driver::Policy => Stream::Policy,
    };
    stream == driven && scope_subject_matches(subject, key.into())
}

impl Stage for Decider {
    const SPEC: StageSpec = StageSpec {
        name: "decider",
        inputs: &[Stream::Change, Stream::Policy],
        output: Some(Stream::Decision),
        consumes: |kind| match kind {
            Kind::Change | Kind::PolicyResult => Consumes::Takes,
            // Approvals and executions will move findings on; until then they only pass.
            _ => Consumes::Passes,
        },
        position: Position::Checkpoint,
        batch_pages: 40,
        health_port: 9313,
    };

    async fn handle(&self, batch: &Batch) -> Result<Output, Failure> {
        let mut memory = self.sources().remove(&batch.source).unwrap_or_default();
        let output = self.decide_batch(&mut memory, batch);
        self.sources().insert(batch.source.clone(), memory);
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
        let mut from = 1;
        let mut memory = Memory::default();
        for (key, value) in state {
            if key == POSITION {
                let position = std::str::from_utf8(&value).ok().and_then(|text| text.trim().parse::<u64>().ok());
                from = position.map_or(1, |position| position + 1);
                continue;
            }
            match serde_json::from_slice::<Entry>(&value) {
                Ok(entry) => {
                    if entry.findings.is_empty() {
                        memory.closed.push(key.clone());
                    }
                    memory.entries.insert(key, entry);
                }
                // Its findings open anew when they are seen next; better told twice than not at all.
                Err(error) => warn!(key, %error, "an entry of the state cannot be read and is left out"),
            }
        }
        self.sources().insert(source.clone(), memory);
        Ok(Resume { from, pending: Vec::new() })
    }
}

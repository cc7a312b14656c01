//! The decider as a stage: keeps the open findings of every source between inputs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use elava_bus::{
    Batch, Consumes, Failure, Output, Position, Rejection, Resume, Source, Stage, StageSpec, StateChange, Stream,
    scope_subject_matches,
};
use elava_schemas::config::Config;
use elava_schemas::{Kind, Message, ResourceKey};
use tracing::warn;

use crate::finding::{Driver, Entry, state_key};
use crate::{decide_change, decide_result};

/// The key under which the bus gives the position up to which the state is complete.
const POSITION: &str = "position";
/// The key of the state's format. Stored with the first batch of a source, which has the bus keep
/// the position from then on: a scope where nothing is wrong need not be read again from its start.
const FORMAT: &str = "format";
const FORMAT_VERSION: u64 = 1;

/// Turns changes and policy results into decisions.
///
/// Holds the open findings, and nothing else: memory is bounded by what is wrong, not by what there is.
#[derive(Debug)]
pub struct Decider {
    config: Config,
    sources: Mutex<HashMap<Source, Arc<Mutex<Memory>>>>,
}

/// The open findings of one source.
#[derive(Debug, Default)]
struct Memory {
    entries: HashMap<String, Entry>,
    /// Entries without findings. They are kept, and stored, until a batch after the one that
    /// resolved the last finding: should state be stored only in part, replayed inputs must find that they
    /// have been applied. Without that, a second drift would open a finding anew that is over.
    closed: Vec<String>,
    /// Whether the format is stored.
    has_format: bool,
    /// The last batch can be given again, and must then lead to the same outputs.
    undo: Option<Undo>,
}

/// The last batch: its first position, and what it changed, as it was before.
#[derive(Debug)]
struct Undo {
    first: u64,
    entries: HashMap<String, Option<Entry>>,
    closed: Vec<String>,
    has_format: bool,
}

impl Decider {
    /// A decider without open findings.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, sources: Mutex::default() }
    }

    fn decide_batch(&self, memory: &mut Memory, batch: &Batch) -> Output {
        let first = batch.pages.first().map_or(0, |page| page.sequence);
        memory.begin(first);
        let mut output = Output::default();
        let mut rejected = Vec::new();
        let mut changed: HashMap<String, Entry> = HashMap::new();
        for (page, line, message) in batch.messages(&Self::SPEC, &mut rejected) {
            let (driver, key) = match &message {
                Message::Change(change) => (Driver::Change, &change.resource_key),
                Message::PolicyResult(result) => (Driver::Policy, &result.resource_key),
                _ => continue,
            };
            if !belongs(driver, key, &batch.source, &page.subject) {
                let reason = format!("{} of {key} does not belong on {}", message.kind(), page.subject);
                output.rejected.push(Rejection { sequence: page.sequence, line, reason });
                continue;
            }
            let state_key = state_key(driver, key);
            // Only what earlier batches applied counts: a page may hold several rows of a resource.
            let applied = memory.entries.get(&state_key).map_or(0, |entry| entry.sequence);
            if batch.source != Source::Pipe && page.sequence <= applied {
                continue;
            }
            let open = changed.get(&state_key).or_else(|| memory.entries.get(&state_key));
            let open = open.map_or(&[][..], |entry| &entry.findings);
            let (decisions, findings) = match &message {
                Message::Change(change) => decide_change(change, open.to_vec(), &self.config),
                Message::PolicyResult(result) => decide_result(result, open.to_vec(), &self.config),
                _ => continue,
            };
            if findings != open {
                changed.insert(state_key, Entry { sequence: page.sequence, findings });
            }
            for decision in decisions {
                output.emit(page.sequence, decision);
            }
        }
        output.rejected.extend(rejected);
        output.state = memory.end(first, changed, &batch.source);
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
        self.has_format = undo.has_format;
    }

    /// Applies what the batch changed, and says what of it is to be stored. Until here nothing was
    /// applied, so that a panic leaves no half of a batch behind.
    fn end(&mut self, first: u64, changed: HashMap<String, Entry>, source: &Source) -> Vec<StateChange> {
        let mut closed: Vec<String> =
            changed.iter().filter(|(_, entry)| entry.findings.is_empty()).map(|(key, _)| key.clone()).collect();
        let closed_before = std::mem::take(&mut self.closed);
        let mut before: HashMap<String, Option<Entry>> = HashMap::new();
        for key in closed_before.iter().filter(|key| !changed.contains_key(*key)) {
            // After a restart the first inputs may still be replayed ones.
            if self.entries.get(key).is_some_and(|entry| entry.sequence < first) {
                before.insert(key.clone(), self.entries.remove(key));
            } else {
                closed.push(key.clone());
            }
        }
        for (key, entry) in changed {
            before.insert(key.clone(), self.entries.insert(key, entry));
        }
        self.closed = closed;

        let mut state: Vec<StateChange> = before.keys().map(|key| self.state_change(key, source)).collect();
        state.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let has_format = std::mem::replace(&mut self.has_format, true);
        if !has_format {
            state.insert(0, StateChange { key: FORMAT.to_owned(), value: Some(FORMAT_VERSION.to_string().into()) });
        }
        self.undo = Some(Undo { first, entries: before, closed: closed_before, has_format });
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

    /// Reads what was stored; returns the position up to which it is complete.
    fn read(state: Vec<(String, Bytes)>) -> Result<(Self, Option<u64>), Failure> {
        let (mut memory, mut position) = (Self::default(), None);
        for (key, value) in state {
            let number = || std::str::from_utf8(&value).ok().and_then(|text| text.trim().parse::<u64>().ok());
            match key.as_str() {
                POSITION => position = number(),
                FORMAT if number() == Some(FORMAT_VERSION) => memory.has_format = true,
                FORMAT => return Err(Failure::Fatal("the open findings were stored by a newer version".into())),
                _ => match serde_json::from_slice::<Entry>(&value) {
                    Ok(entry) => {
                        if entry.findings.is_empty() {
                            memory.closed.push(key.clone());
                        }
                        memory.entries.insert(key, entry);
                    }
                    // Its findings open anew when they are seen next; better told twice than not at all.
                    Err(error) => warn!(key, %error, "an entry of the state cannot be read and is left out"),
                },
            }
        }
        Ok((memory, position))
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
        let memory = lock(&self.sources).entry(batch.source.clone()).or_default().clone();
        let output = self.decide_batch(&mut lock(&memory), batch);
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
        let (memory, position) = Memory::read(state)?;
        lock(&self.sources).insert(source.clone(), Arc::new(Mutex::new(memory)));
        Ok(Resume { from: position.map_or(1, |position| position + 1), pending: Vec::new() })
    }
}

/// What is behind the lock is changed as a whole or not at all: a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

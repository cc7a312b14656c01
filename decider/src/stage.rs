//! The decider as a stage: one input after the other, by the findings that its source has open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use elava_bus::{
    Batch, Consumes, Failure, Output, Position, Rejection, Resume, Source, Stage, StageSpec, Stream,
    scope_subject_matches,
};
use elava_schemas::config::Config;
use elava_schemas::{Kind, Message, ResourceKey};

use crate::finding::{Driver, Entry, state_key};
use crate::memory::Memory;
use crate::{decide_change, decide_result};

/// Turns changes and policy results into decisions.
///
/// Holds the open findings, and nothing else: memory is bounded by what is wrong, not by what there is.
#[derive(Debug)]
pub struct Decider {
    config: Config,
    sources: Mutex<HashMap<Source, Arc<Mutex<Memory>>>>,
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
            let known = memory.entry(&state_key);
            let applied = known.map_or(0, |entry| entry.sequence);
            if batch.source != Source::Pipe && page.sequence <= applied {
                continue;
            }
            let open = changed.get(&state_key).or(known).map_or(&[][..], |entry| &entry.findings);
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
        Ok(Resume { from: position.map_or(1, |position| position + 1), pending: Vec::new(), rejected: Vec::new() })
    }

    fn left(&self, source: &Source) {
        lock(&self.sources).remove(source);
    }
}

/// What is behind the lock is changed as a whole or not at all: a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

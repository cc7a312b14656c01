//! What the detector does with a batch: everything that it leads to in one transaction, and the memory as the history is.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use elava_bus::{Batch, Emit, Output, Patience, Rejection, Resume, Source, Stream};
use hashbrown::{HashMap, HashSet};

use crate::batch::{self, Memory, Settings};
use crate::decode::{Line, Row};
use crate::effects::Effects;
use crate::put_off::PutOff;
use crate::record::Recorder;
use crate::shard::Shard;
use crate::store::{History, HistoryError, Progress, Records};

/// After how many batches that changed nothing a source's position is stored all the same.
const MAX_UNSTORED: u32 = 100;

/// A history, and what is remembered of it between batches.
pub(crate) struct State {
    pub(crate) history: History,
    shard: Shard,
    pub(crate) memory: Memory,
    /// Up to where each source has been applied.
    applied: HashMap<Source, u64>,
    /// How many batches of a source were applied since its position was stored.
    unstored: HashMap<Source, u32>,
    /// The last input of a source whose outputs or dead letters the history still holds.
    held: HashMap<Source, u64>,
    /// Up to where outputs and dead letters are stored.
    pub(crate) stored: HashMap<Source, u64>,
    /// Resources with open violations.
    violators: HashSet<u64>,
    /// What is to be stored soon.
    put_off: PutOff,
}

impl State {
    /// Opens the file, and loads what exists.
    pub(crate) fn open(path: &Path, shard: Shard) -> Result<Self, HistoryError> {
        let history = History::open(path)?;
        let streams = Stream::ALL.into_iter();
        let by_name: HashMap<&str, Stream> = streams.map(|stream| (stream.name(), stream)).collect();
        let positions = history.positions()?.into_iter().filter_map(|position| {
            let stream = *by_name.get(position.stream.as_str())?;
            Some((Source::Partition { stream, partition: position.partition }, position.applied))
        });
        let applied = positions.collect();
        let (memory, violators) = (history.memory()?, history.violators()?);
        Ok(Self {
            history,
            shard,
            memory,
            applied,
            unstored: HashMap::new(),
            held: HashMap::new(),
            stored: HashMap::new(),
            violators,
            put_off: PutOff::default(),
        })
    }

    /// Where a source goes on, and what it may not have said.
    pub(crate) fn resume(&mut self, source: &Source, checkpoint: u64) -> Result<Resume, HistoryError> {
        let Source::Partition { stream, partition } = *source else {
            return Ok(Resume { from: 1, pending: Vec::new(), rejected: Vec::new() });
        };
        let positions = self.history.positions()?;
        let position = positions.iter().find(|p| p.stream == stream.name() && p.partition == partition);
        let from = position.map_or(1, |position| position.resume);
        let pending = if stream == Stream::Observation {
            // what the open scans have seen is read again
            self.memory.scans.forget(partition);
            self.history.outbox(partition, checkpoint)?
        } else {
            Vec::new()
        };
        let rejected = self.history.rejections(stream.name(), partition)?;
        if let Some(position) = position.filter(|_| !pending.is_empty() || !rejected.is_empty()) {
            self.held.insert(source.clone(), position.applied);
        }
        Ok(Resume { from, pending, rejected })
    }

    /// Compares a batch with what is known, and stores what that leads to.
    pub(crate) fn handle(
        &mut self,
        batch: &Batch,
        lines: Vec<Line>,
        mut rejected: Vec<Rejection>,
        settings: &Settings,
    ) -> Result<Output, HistoryError> {
        let applied = match batch.source {
            Source::Pipe => 0,
            Source::Partition { .. } => self.applied.get(&batch.source).copied().unwrap_or(0),
        };
        rejected.retain(|rejection| rejection.sequence > applied);
        let mut effects = Effects { rejected, ..Effects::default() };
        // A panic too must leave the memory as the history is: other partitions go on with it.
        let store = AssertUnwindSafe(|| self.store(batch, lines, &mut effects, settings, applied));
        let stored = catch_unwind(store);
        let settle_within = match self.unless_panicked(stored) {
            Ok(settle_within) => settle_within,
            Err(error) => {
                effects.undo(&mut self.memory);
                return Err(error);
            }
        };
        if batch.last_sequence() > applied {
            self.applied.insert(batch.source.clone(), batch.last_sequence());
        }
        let mut rejected = effects.rejected;
        rejected.sort_by_key(|rejection| (rejection.sequence, rejection.line));
        let messages = effects.changes.into_iter().map(Emit::from).collect();
        Ok(Output { messages, rejected, settle_within, ..Output::default() })
    }

    /// Everything a batch leads to, in one transaction; where it can wait for that of another one, how long.
    fn store(
        &mut self,
        batch: &Batch,
        mut lines: Vec<Line>,
        effects: &mut Effects,
        settings: &Settings,
        applied: u64,
    ) -> Result<Option<Patience>, HistoryError> {
        let partition = match batch.source {
            Source::Pipe => None,
            Source::Partition { partition, .. } => Some(partition),
        };
        batch::run(&mut self.memory, &self.history, settings, (partition, applied), &mut lines, effects)?;
        let records = self.record(lines, applied)?;
        let is_empty = effects.is_empty() && effects.rejected.is_empty() && records.is_empty();
        if is_empty && self.can_wait(&batch.source) {
            return Ok(None);
        }
        let progress = self.progress(batch, applied);
        if records.is_empty()
            && !self.can_let_go(&batch.source)
            && let Some(patience) = self.put_off.take(&batch.source, progress.as_ref(), effects)
        {
            return Ok(Some(patience));
        }
        self.history.apply(effects, &records, progress.as_ref(), &self.put_off)?;
        self.settled();
        self.unstored.remove(&batch.source);
        if self.can_let_go(&batch.source) {
            self.held.remove(&batch.source);
        }
        if !effects.changes.is_empty() || !effects.rejected.is_empty() {
            self.held.insert(batch.source.clone(), batch.last_sequence());
        }
        self.remember(&records);
        Ok(None)
    }

    /// Stores what was put off of all sources, if anything of this one was.
    pub(crate) fn settle(&mut self, source: &Source) -> Result<(), HistoryError> {
        if self.put_off.has_none_of(source) {
            return Ok(());
        }
        let (nothing, records) = (&mut Effects::default(), Records::default());
        let store = AssertUnwindSafe(|| self.history.apply(nothing, &records, None, &self.put_off));
        let stored = catch_unwind(store);
        self.unless_panicked(stored)?;
        self.settled();
        Ok(())
    }

    /// What was tried, or why it failed; nothing of it is left where it panicked.
    fn unless_panicked<T>(&self, tried: std::thread::Result<Result<T, HistoryError>>) -> Result<T, HistoryError> {
        tried.unwrap_or_else(|panic| {
            self.history.roll_back();
            Err(HistoryError::Panicked { text: elava_bus::panic_text(panic.as_ref()).to_owned() })
        })
    }

    /// What was put off is stored.
    fn settled(&mut self) {
        for source in self.put_off.clear() {
            self.unstored.remove(&source);
        }
    }

    /// Whether a batch that changed nothing needs no transaction: nothing is lost by handling it again after a crash.
    fn can_wait(&mut self, source: &Source) -> bool {
        let unstored = self.unstored.entry(source.clone()).or_default();
        *unstored += 1;
        *unstored < MAX_UNSTORED && !self.can_let_go(source)
    }

    /// Whether everything that the history still holds of a source's outputs is stored downstream.
    fn can_let_go(&self, source: &Source) -> bool {
        self.held.get(source).is_some_and(|held| self.stored.get(source).is_some_and(|stored| stored >= held))
    }

    /// What later stages said.
    fn record(&self, lines: Vec<Line>, applied: u64) -> Result<Records, HistoryError> {
        let mut recorder = Recorder::new(self.shard);
        for line in lines.into_iter().filter(|line| line.page.sequence > applied) {
            if let Row::Recorded(message) = line.row {
                let index = &self.memory.index;
                recorder.add(message, &|id| index.is_known(id), &self.violators);
            }
        }
        let evaluated = recorder.evaluated();
        let open = if evaluated.is_empty() { Vec::new() } else { self.history.open_violations(&evaluated)? };
        Ok(recorder.finish(open))
    }

    fn remember(&mut self, records: &Records) {
        for (id, _) in &records.keys {
            self.memory.index.insert_gone(*id);
        }
        let open = records.violations.iter().filter(|row| row.closed.is_none()).map(|row| row.resource);
        let open: HashSet<u64> = open.collect();
        for id in &records.settled {
            if open.contains(id) {
                self.violators.insert(*id)
            } else {
                self.violators.remove(id)
            };
        }
    }

    /// Where the history will be once this batch is in it.
    fn progress(&self, batch: &Batch, applied: u64) -> Option<Progress> {
        let Source::Partition { stream, partition } = batch.source else { return None };
        let last = batch.last_sequence();
        if last <= applied {
            return None;
        }
        let open = if stream == Stream::Observation { self.memory.scans.first_sequence(partition) } else { None };
        Some(Progress {
            stream: stream.name(),
            partition,
            applied: last,
            resume: open.map_or(last + 1, |first| first.min(last + 1)),
            stored: self.stored.get(&batch.source).copied().unwrap_or(0),
        })
    }
}

//! The open findings of one source between inputs, and how they survive the process.

use std::collections::HashMap;

use bytes::Bytes;
use elava_bus::{Failure, Source, StateChange};
use tracing::warn;

use crate::finding::Entry;

/// The key under which the bus gives the position up to which the state is complete.
const POSITION: &str = "position";
/// The key of the state's format. Stored with the first batch of a source, which has the bus keep
/// the position from then on: a scope where nothing is wrong need not be read again from its start.
const FORMAT: &str = "format";
const FORMAT_VERSION: u64 = 1;

/// The open findings of one source.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    entries: HashMap<String, Entry>,
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

/// The last batch: its first position, and what it changed, as it was before.
#[derive(Debug)]
struct Undo {
    first: u64,
    entries: HashMap<String, Option<Entry>>,
    closed: Vec<String>,
    has_format: bool,
}

impl Memory {
    /// The entry of a state key, as earlier batches left it.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Takes back the last batch if it is given again.
    pub(crate) fn begin(&mut self, first: u64) {
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
    pub(crate) fn end(&mut self, first: u64, changed: HashMap<String, Entry>, source: &Source) -> Vec<StateChange> {
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
    pub(crate) fn read(state: Vec<(String, Bytes)>) -> Result<(Self, Option<u64>), Failure> {
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

//! What a batch does to the history, as values; and how to take back what it did to the memory.

use elava_bus::Rejection;
use elava_schemas::{ResourceKey, ScanError, Timestamp};
use hashbrown::HashMap;

use crate::batch::Memory;
use crate::change::Detected;
use crate::index::Entry;
use crate::scans::OpenScan;
use crate::version::Version;

/// A scan that has ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScanRow {
    pub(crate) scan_id: String,
    pub(crate) scope: elava_schemas::Scope,
    pub(crate) started_at: Timestamp,
    pub(crate) finished_at: Timestamp,
    pub(crate) outcome: &'static str,
    /// How many rows the report says were sent; `None` without a report.
    pub(crate) observed: Option<u64>,
    pub(crate) received: u64,
    pub(crate) api_calls: u64,
    pub(crate) errors: Vec<ScanError>,
    pub(crate) proved: bool,
}

/// What is to be stored, and what is to be said.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Keys of resources never seen before.
    pub(crate) keys: Vec<(u64, ResourceKey)>,
    /// Versions that were current in the history and have ended, in order.
    pub(crate) ended: Vec<Version>,
    /// New versions, in order; some have ended within the batch.
    pub(crate) versions: Vec<Version>,
    /// Resources seen without proof by a scan: when last.
    pub(crate) touched: HashMap<u64, Timestamp>,
    pub(crate) scans: Vec<ScanRow>,
    /// Changes, in order.
    pub(crate) changes: Vec<Detected>,
    pub(crate) rejected: Vec<Rejection>,
    pub(crate) journal: Vec<Undo>,
}

/// How to take back one step in memory.
#[derive(Debug)]
pub(crate) enum Undo {
    Entry { id: u64, before: Option<Entry>, gone: bool },
    Scan { scope: u32, scan: Option<OpenScan>, proved: Option<Timestamp> },
}

impl Effects {
    /// Whether nothing is to be stored.
    pub(crate) fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.ended.is_empty() && self.touched.is_empty() && self.scans.is_empty()
    }

    /// Whether all that is to be stored is that scans have proved everything to be as it was.
    pub(crate) fn are_proofs_alone(&self) -> bool {
        let is_more = !self.versions.is_empty()
            || !self.ended.is_empty()
            || !self.touched.is_empty()
            || !self.keys.is_empty()
            || !self.changes.is_empty()
            || !self.rejected.is_empty();
        !is_more && !self.scans.is_empty() && self.scans.iter().all(|scan| scan.proved)
    }

    /// Takes back what was done to the memory: the effects could not be stored.
    pub(crate) fn undo(self, memory: &mut Memory) {
        for undo in self.journal.into_iter().rev() {
            match undo {
                Undo::Entry { id, before, gone } => {
                    memory.index.forget(id);
                    match before {
                        Some(entry) => memory.index.insert(id, entry),
                        None if gone => memory.index.insert_gone(id),
                        None => {}
                    }
                }
                Undo::Scan { scope, scan, proved } => {
                    let known = memory.index.scope_mut(scope);
                    known.proved = proved;
                    known.ended.pop_back();
                    if let Some(scan) = scan {
                        memory.scans.put(scope, scan);
                    }
                }
            }
        }
    }
}

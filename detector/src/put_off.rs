//! Ends of scans that wait to be stored together: a transaction costs much more than such a row.
//!
//! Only those wait that say nothing but that a scope is as it was. Where a source is with them is stored in the same
//! transaction, so that after a crash they are given again. They wait as long as [`PATIENCE`] says at most, are stored
//! with whatever is stored before, and are few.

use std::time::Duration;

use elava_bus::{Patience, Source};
use hashbrown::HashMap;

use crate::effects::{Effects, ScanRow};
use crate::store::Progress;

/// How long an end of a scan may be missing in the history: not noticed by people, and time for several of them. While
/// much is still to be read the history is late anyhow.
const PATIENCE: Patience = Patience { caught_up: Duration::from_millis(50), behind: Duration::from_millis(250) };
/// How many wait at most: each costs little beside the others.
const MAX: usize = 64;

/// What is to be stored, and where its sources are with it.
#[derive(Debug, Default)]
pub(crate) struct PutOff {
    pub(crate) scans: Vec<ScanRow>,
    sources: HashMap<Source, Progress>,
}

impl PutOff {
    /// Takes what a batch led to, if it can wait: how long.
    pub(crate) fn take(
        &mut self,
        source: &Source,
        progress: Option<&Progress>,
        effects: &mut Effects,
    ) -> Option<Patience> {
        let progress = progress.filter(|_| self.can_take(effects))?;
        self.scans.append(&mut effects.scans);
        self.sources.insert(source.clone(), *progress);
        Some(PATIENCE)
    }

    fn can_take(&self, effects: &Effects) -> bool {
        let scans = &effects.scans;
        // one of a scope: what is remembered of its ended scans must reach back to those that are stored
        let is_first = |(index, scan): (usize, &ScanRow)| {
            self.scans.iter().chain(&scans[..index]).all(|waiting| waiting.scope != scan.scope)
        };
        effects.are_proofs_alone() && self.scans.len() + scans.len() <= MAX && scans.iter().enumerate().all(is_first)
    }

    /// Whether nothing of this source waits.
    pub(crate) fn has_none_of(&self, source: &Source) -> bool {
        !self.sources.contains_key(source)
    }

    /// Where the sources are, but for one that has moved on since. What the history holds of their outputs stays for
    /// now: it is removed with what is not put off.
    pub(crate) fn progress(&self, moved: Option<&Progress>) -> impl Iterator<Item = &Progress> {
        let moved = moved.map(|moved| (moved.stream, moved.partition));
        self.sources.values().filter(move |one| moved != Some((one.stream, one.partition)))
    }

    /// All of it is stored.
    pub(crate) fn clear(&mut self) -> impl Iterator<Item = Source> {
        self.scans.clear();
        std::mem::take(&mut self.sources).into_keys()
    }
}

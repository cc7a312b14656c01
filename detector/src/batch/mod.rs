//! What one batch of observations and scan reports does to the history. Pure: previous versions are
//! asked of a [`Past`], times come with the messages, and effects are values.
//!
//! The index is changed in place, with a journal to take everything back when the effects cannot be
//! stored. What is not in the journal (when something was last seen, what a scan has seen) is
//! harmless to repeat.

mod observed;
mod report;
mod versions;

use chrono::TimeDelta;
use elava_bus::Rejection;
use elava_schemas::{Baseline, EarlierLife, Resource, ScanReport, Timestamp, micros};
use hashbrown::{HashMap, HashSet};

use crate::change::rfc3339;
use crate::content::{content_hash, scope_id};
use crate::decode::{Line, Row};
use crate::diff::Tracking;
use crate::effects::Effects;
use crate::index::Index;
use crate::prices::Prices;
use crate::scans::{Place, Scans};
use crate::store::HistoryError;
use crate::version::Version;

/// Clocks of clouds and observers may be ahead of the server's by this much.
const AHEAD: TimeDelta = TimeDelta::minutes(5);

/// How many rows are looked up before they are handled: few enough that the entries are still in the processor's first
/// cache then, and enough that several are fetched from memory at once.
const AT_ONCE: usize = 128;

/// What is configured.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) tracking: Tracking,
    pub(crate) prices: Prices,
}

/// What the batch needs of the stored history.
pub(crate) trait Past {
    /// The current versions of these resources.
    fn current(&self, ids: &[u64]) -> Result<Vec<Version>, HistoryError>;
    /// The last lives of resources that have disappeared.
    fn earlier_lives(&self, ids: &[u64]) -> Result<Vec<(u64, EarlierLife)>, HistoryError>;
    /// Which of these scans have been reported already: number of the scope, id of the scan.
    fn ended_scans(&self, ids: &[&str]) -> Result<HashSet<(u64, String)>, HistoryError>;
}

/// What the detector remembers between batches.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) index: Index,
    pub(crate) scans: Scans,
}

/// Handles the rows of one source in order. Rows at positions up to `applied` are only used to see
/// again what the open scans have seen. After an error or a panic the effects so far are to be undone.
pub(crate) fn run(
    memory: &mut Memory,
    past: &dyn Past,
    settings: &Settings,
    (partition, applied): (Option<u16>, u64),
    lines: &mut [Line],
    effects: &mut Effects,
) -> Result<(), HistoryError> {
    let mut work = Work {
        memory,
        past,
        settings,
        partition,
        applied,
        effects,
        open: HashMap::new(),
        loaded: HashMap::new(),
        lives: HashMap::new(),
        ended_scans: HashSet::new(),
    };
    let known = work.pass_over(lines)?;
    work.prepare(&mut lines[known..])?;
    lines[known..].iter().try_for_each(|line| work.line(line))?;
    work.abandon_silent(lines);
    Ok(())
}

struct Work<'a> {
    memory: &'a mut Memory,
    past: &'a dyn Past,
    settings: &'a Settings,
    partition: Option<u16>,
    applied: u64,
    effects: &'a mut Effects,
    /// Where in `effects.versions` a resource's current version is.
    open: HashMap<u64, usize>,
    /// Current versions from the stored history.
    loaded: HashMap<u64, Version>,
    lives: HashMap<u64, EarlierLife>,
    ended_scans: HashSet<(u64, String)>,
}

impl Work<'_> {
    /// Handles the first rows, as long as they say that something is as it was: nothing of the stored history is needed
    /// for that. How many there are.
    fn pass_over(&mut self, lines: &[Line]) -> Result<usize, HistoryError> {
        let mut count = 0;
        for some in lines.chunks(AT_ONCE) {
            if !some.iter().all(|line| self.is_as_it_was(line)) {
                break;
            }
            some.iter().try_for_each(|line| self.line(line))?;
            count += some.len();
        }
        Ok(count)
    }

    fn is_as_it_was(&self, line: &Line) -> bool {
        let Row::Observed(observed) = &line.row else { return false };
        self.memory.index.get(observed.id).is_some_and(|entry| entry.raw == observed.raw)
    }

    /// Loads at once what single rows will need.
    fn prepare(&mut self, lines: &mut [Line]) -> Result<(), HistoryError> {
        let (mut changed, mut gone, mut reports) = (HashSet::new(), HashSet::new(), Vec::new());
        for line in lines.iter_mut().filter(|line| line.page.sequence > self.applied) {
            match &mut line.row {
                Row::Observed(observed) => match self.memory.index.get(observed.id) {
                    Some(entry) if entry.raw == observed.raw => {}
                    Some(entry) => {
                        // a resource that cannot be read is rejected later, in its turn
                        let Ok(mut resource) = observed.body.resource() else { continue };
                        tidy(&mut resource);
                        if resource.tags.is_some() {
                            observed.content = Some(content_hash(&resource));
                        }
                        if observed.content != Some(entry.content) {
                            changed.insert(observed.id);
                        }
                    }
                    None if self.memory.index.is_gone(observed.id) => {
                        gone.insert(observed.id);
                    }
                    None => {}
                },
                Row::Report(report) if self.may_have_ended(report) => reports.push(report.scan_id.as_str()),
                Row::Report(_) => {}
                Row::Recorded(_) => {}
            }
        }
        if !reports.is_empty() {
            self.ended_scans = self.past.ended_scans(&reports)?;
        }
        if !gone.is_empty() {
            self.lives.extend(self.past.earlier_lives(&sorted(gone))?);
        }
        self.load(changed)
    }

    /// Whether only the history knows if this scan has been reported already.
    fn may_have_ended(&self, report: &ScanReport) -> bool {
        let index = &self.memory.index;
        let scope = index.scope_by_id(scope_id((&report.scope).into()));
        scope.is_some_and(|scope| index.scope(scope).may_have_ended(micros(report.started_at)))
    }

    fn load(&mut self, ids: HashSet<u64>) -> Result<(), HistoryError> {
        if !ids.is_empty() {
            let versions = self.past.current(&sorted(ids))?;
            self.loaded.extend(versions.into_iter().map(|version| (version.id, version)));
        }
        Ok(())
    }

    fn line(&mut self, line: &Line) -> Result<(), HistoryError> {
        let result = match &line.row {
            Row::Observed(observed) => self.observed(line, observed)?,
            Row::Report(report) => self.report(line, report)?,
            Row::Recorded(_) => Ok(()),
        };
        if let Err(reason) = result
            && line.page.sequence > self.applied
        {
            let (sequence, line) = (line.page.sequence, line.number);
            self.effects.rejected.push(Rejection { sequence, line, reason });
        }
        Ok(())
    }

    fn place(&self, line: &Line) -> Place {
        let (sequence, received_at) = (line.page.sequence, line.page.received_at);
        Place { partition: self.partition, sequence, received_at }
    }

    fn unchanged(&mut self, id: u64, at: Timestamp, in_scan: bool) {
        if let Some(entry) = self.memory.index.get_mut(id) {
            entry.last_seen = entry.last_seen.max(at);
        }
        if !in_scan {
            self.touch(id, at);
        }
    }

    fn touch(&mut self, id: u64, at: Timestamp) {
        let last = self.effects.touched.entry(id).or_insert(at);
        *last = (*last).max(at);
    }

    /// The first look at a scope: it has never been seen whole.
    fn baseline(&self, scope: u32, scan_id: Option<&str>) -> Baseline {
        Baseline::from(scan_id.is_some() && self.memory.index.scope(scope).proved.is_none())
    }

    /// How many resources of a scope are known.
    fn resources(&self, scope: u32) -> u64 {
        self.memory.index.scope(scope).members.len() as u64
    }
}

/// What the history can hold of a resource: whole microseconds, sorted relations.
fn tidy(resource: &mut Resource) {
    resource.created_at = resource.created_at.map(micros);
    resource.relations.sort();
}

fn future(field: &str, at: Timestamp, received_at: Timestamp) -> String {
    format!("{field} {} is in the future: it was received at {}", rfc3339(at), rfc3339(received_at))
}

fn sorted(ids: HashSet<u64>) -> Vec<u64> {
    let mut ids: Vec<u64> = ids.into_iter().collect();
    ids.sort_unstable();
    ids
}

#[cfg(test)]
mod tests;

//! What one batch of observations and scan reports does to the history. Pure: previous versions are
//! asked of a [`Past`], times come with the messages, and effects are values.
//!
//! The index is changed in place, with a journal to take everything back when the effects cannot be
//! stored. What is not in the journal (when something was last seen, what a scan has seen) is
//! harmless to repeat.

use chrono::TimeDelta;
use elava_bus::Rejection;
use elava_schemas::config::Track;
use elava_schemas::{
    Baseline, Change, ChangeHistory, ChangeId, ChangeType, EarlierLife, FieldDiff, Resource, ResourceKey, ScanError, ScanId,
    ScanOutcome, ScanReport, Timestamp, micros,
};
use hashbrown::{HashMap, HashSet};

use crate::content::{Hash, content_hash, short_hash};
use crate::decode::{Body, Line, Observed, Row};
use crate::details::details;
use crate::diff::{Tracking, differences};
use crate::index::{Entry, Index};
use crate::prices::Prices;
use crate::scans::{OpenScan, Place, Scans};
use crate::store::HistoryError;

/// Clocks of clouds and observers may be ahead of the server's by this much.
const AHEAD: TimeDelta = TimeDelta::minutes(5);

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
    /// Which of these scans have been reported already.
    fn ended_scans(&self, ids: &[&str]) -> Result<HashSet<String>, HistoryError>;
}

/// What the detector remembers between batches.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) index: Index,
    pub(crate) scans: Scans,
}

/// One version of one resource, as stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Version {
    pub(crate) id: u64,
    pub(crate) hash: Hash,
    pub(crate) resource: Resource,
    pub(crate) tags_carried: bool,
    pub(crate) valid_from: Timestamp,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
    pub(crate) scan_id: Option<String>,
    pub(crate) end: Option<End>,
}

/// How a version ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) at: Timestamp,
    pub(crate) by: EndedBy,
    pub(crate) last_seen: Timestamp,
}

/// Why a version ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndedBy {
    Changed,
    Disappeared,
}

impl EndedBy {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Disappeared => "disappeared",
        }
    }
}

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
    /// Ends of versions that are stored.
    pub(crate) ended: Vec<(u64, End)>,
    /// New versions, in order; some have ended within the batch.
    pub(crate) versions: Vec<Version>,
    /// Resources seen without proof by a scan: when last.
    pub(crate) touched: HashMap<u64, Timestamp>,
    pub(crate) scans: Vec<ScanRow>,
    /// Changes, in order.
    pub(crate) changes: Vec<Detected>,
    pub(crate) rejected: Vec<Rejection>,
    journal: Vec<Undo>,
}

/// A change that was detected.
#[derive(Debug)]
pub(crate) struct Detected {
    /// The position of the page that caused it.
    pub(crate) sequence: u64,
    /// Hash of the version before.
    pub(crate) before: Option<Hash>,
    pub(crate) change: Change,
}

#[derive(Debug)]
enum Undo {
    Entry { id: u64, before: Option<Entry>, gone: bool },
    Scan { scope: u32, scan: Option<OpenScan>, proved: Option<Timestamp> },
}

impl Effects {
    /// Whether nothing is to be stored.
    pub(crate) fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.ended.is_empty() && self.touched.is_empty() && self.scans.is_empty()
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

/// Handles the rows of one source in order. Rows at positions up to `applied` are only used to see
/// again what the open scans have seen.
pub(crate) fn run(
    memory: &mut Memory,
    past: &dyn Past,
    settings: &Settings,
    partition: Option<u16>,
    applied: u64,
    lines: &mut [Line],
) -> Result<Effects, (Effects, HistoryError)> {
    let mut work = Work {
        memory,
        past,
        settings,
        partition,
        applied,
        effects: Effects::default(),
        open: HashMap::new(),
        loaded: HashMap::new(),
        lives: HashMap::new(),
        ended_scans: HashSet::new(),
    };
    let result = work.prepare(lines).and_then(|()| lines.iter().try_for_each(|line| work.line(line)));
    work.abandon_silent(lines);
    match result {
        Ok(()) => Ok(work.effects),
        Err(error) => Err((work.effects, error)),
    }
}

struct Work<'a> {
    memory: &'a mut Memory,
    past: &'a dyn Past,
    settings: &'a Settings,
    partition: Option<u16>,
    applied: u64,
    effects: Effects,
    /// Where in `effects.versions` a resource's current version is.
    open: HashMap<u64, usize>,
    /// Current versions from the stored history.
    loaded: HashMap<u64, Version>,
    lives: HashMap<u64, EarlierLife>,
    ended_scans: HashSet<String>,
}

impl Work<'_> {
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
                            observed.body = Body::Parsed(Box::new(resource));
                        }
                    }
                    None if self.memory.index.is_gone(observed.id) => {
                        gone.insert(observed.id);
                    }
                    None => {}
                },
                Row::Report(report) => reports.push(report.scan_id.as_str()),
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

    fn observed(&mut self, line: &Line, observed: &Observed) -> Result<Result<(), String>, HistoryError> {
        let received_at = line.page.received_at;
        let at = micros(observed.observed_at.unwrap_or(received_at));
        if at > received_at + AHEAD {
            return Ok(Err(future("observed_at", at, received_at)));
        }
        let index = &mut self.memory.index;
        let scope = match index.scope_by_id(observed.scope) {
            Some(scope) => scope,
            None => index.scope_number(observed.body.scope()),
        };
        // a late row of an ended scan is as good as one observed by hand
        let scan_id = observed
            .scan_id
            .as_deref()
            .filter(|id| !self.memory.index.scope(scope).ended.contains(&short_hash(&[id])));
        if let Some(scan_id) = scan_id {
            let seen = (observed.id, observed.raw);
            if let Some(older) = self.memory.scans.saw(scope, scan_id, self.place(line), at, seen) {
                self.abandon(scope, older, line.page.sequence > self.applied);
            }
        }
        if line.page.sequence <= self.applied {
            if let Some(entry) = self.memory.index.get_mut(observed.id) {
                entry.last_seen = entry.last_seen.max(at);
            }
            return Ok(Ok(()));
        }
        if let Some(entry) = self.memory.index.get_mut(observed.id)
            && (entry.raw == observed.raw || Some(entry.content) == observed.content)
        {
            entry.raw = observed.raw;
            self.unchanged(observed.id, at, scan_id.is_some());
            return Ok(Ok(()));
        }
        let mut resource = match observed.body.resource() {
            Ok(resource) => resource,
            Err(reason) => return Ok(Err(reason)),
        };
        tidy(&mut resource);
        self.settings.prices.estimate(&mut resource);
        let seen = Seen { at, scope, raw: observed.raw, sequence: line.page.sequence, scan_id };
        match self.memory.index.get(observed.id).copied() {
            None => {
                self.appeared(observed.id, resource, &seen, observed.scan_id.as_deref());
                Ok(Ok(()))
            }
            Some(entry) => self.compared(observed.id, resource, entry, &seen, observed.scan_id.as_deref()),
        }
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

    fn appeared(&mut self, id: u64, resource: Resource, seen: &Seen, scan_id: Option<&str>) {
        let hash = content_hash(&resource);
        let gone = self.memory.index.is_gone(id);
        if !gone {
            self.effects.keys.push((id, resource.key.clone()));
        }
        let earlier_life = self.lives.get(&id).cloned();
        let entry = Entry {
            content: hash,
            raw: seen.raw,
            valid_from: seen.at,
            first_seen: seen.at,
            last_seen: seen.at,
            scope: seen.scope,
        };
        self.effects.journal.push(Undo::Entry { id, before: None, gone });
        self.memory.index.insert(id, entry);
        if self.settings.tracking.tracks(Track::ResourceLifecycle) {
            let change = NewChange {
                change_type: ChangeType::Appeared,
                previous: None,
                current: Some((&resource, hash)),
                diff: Vec::new(),
                at: seen.at,
                scan_id,
                baseline: self.baseline(seen.scope, scan_id),
                earlier_life,
                first_seen: seen.at,
            };
            self.effects.changes.push(change.build(seen.sequence));
        }
        self.open_version(id, hash, resource, false, &entry, scan_id);
    }

    fn compared(
        &mut self,
        id: u64,
        mut resource: Resource,
        entry: Entry,
        seen: &Seen,
        scan_id: Option<&str>,
    ) -> Result<Result<(), String>, HistoryError> {
        let Some(previous) = self.current_version(id)?.cloned() else {
            return Err(HistoryError::Missing { what: "the current version of a resource", id });
        };
        let tags_carried = resource.tags.is_none() && previous.resource.tags.is_some();
        if tags_carried {
            resource.tags.clone_from(&previous.resource.tags);
        }
        let hash = content_hash(&resource);
        if hash == entry.content {
            if let Some(entry) = self.memory.index.get_mut(id) {
                entry.raw = seen.raw;
            }
            self.unchanged(id, seen.at, seen.scan_id.is_some());
            return Ok(Ok(()));
        }
        if seen.at < entry.valid_from {
            return Ok(Err(format!(
                "out of order: observed at {}, but the current version is of {}",
                rfc3339(seen.at),
                rfc3339(entry.valid_from)
            )));
        }
        for difference in differences(&previous.resource, &resource, &self.settings.tracking) {
            let change = NewChange {
                change_type: difference.change_type,
                previous: Some((&previous.resource, previous.hash)),
                current: Some((&resource, hash)),
                diff: difference.diff,
                at: seen.at,
                scan_id,
                baseline: self.baseline(seen.scope, scan_id),
                earlier_life: None,
                first_seen: entry.first_seen,
            };
            self.effects.changes.push(change.build(seen.sequence));
        }
        self.end_version(&previous, seen.scope, seen.at, EndedBy::Changed);
        let next = Entry {
            content: hash,
            raw: seen.raw,
            valid_from: seen.at,
            last_seen: seen.at.max(entry.last_seen),
            ..entry
        };
        self.effects.journal.push(Undo::Entry { id, before: Some(entry), gone: false });
        self.memory.index.insert(id, next);
        self.open_version(id, hash, resource, tags_carried, &next, scan_id);
        Ok(Ok(()))
    }

    /// The first look at a scope: it has never been seen whole.
    fn baseline(&self, scope: u32, scan_id: Option<&str>) -> Baseline {
        Baseline::from(scan_id.is_some() && self.memory.index.scope(scope).proved.is_none())
    }

    fn current_version(&mut self, id: u64) -> Result<Option<&Version>, HistoryError> {
        if let Some(place) = self.open.get(&id) {
            return Ok(Some(&self.effects.versions[*place]));
        }
        if !self.loaded.contains_key(&id) {
            self.load(HashSet::from([id]))?;
        }
        Ok(self.loaded.get(&id))
    }

    fn open_version(
        &mut self,
        id: u64,
        hash: Hash,
        resource: Resource,
        tags_carried: bool,
        entry: &Entry,
        scan_id: Option<&str>,
    ) {
        self.open.insert(id, self.effects.versions.len());
        self.effects.versions.push(Version {
            id,
            hash,
            resource,
            tags_carried,
            valid_from: entry.valid_from,
            first_seen: entry.first_seen,
            last_seen: entry.valid_from,
            scan_id: scan_id.map(str::to_owned),
            end: None,
        });
    }

    /// Ends a version. When it was last seen must not depend on what memory holds beyond the
    /// stored history, or a replay would say otherwise.
    fn end_version(&mut self, version: &Version, scope: u32, at: Timestamp, by: EndedBy) {
        let stored = [self.memory.index.scope(scope).proved, self.effects.touched.get(&version.id).copied()];
        let last_seen = stored.into_iter().flatten().fold(version.last_seen, Timestamp::max);
        let end = End { at, by, last_seen };
        match self.open.remove(&version.id) {
            Some(place) => self.effects.versions[place].end = Some(end),
            None => self.effects.ended.push((version.id, end)),
        }
    }

    fn report(&mut self, line: &Line, report: &ScanReport) -> Result<Result<(), String>, HistoryError> {
        let (started_at, finished_at) = (micros(report.started_at), micros(report.finished_at));
        let received_at = line.page.received_at;
        if finished_at > received_at + AHEAD {
            return Ok(Err(future("finished_at", finished_at, received_at)));
        }
        if started_at > finished_at {
            return Ok(Err("the scan report's finished_at is before its started_at".to_owned()));
        }
        let scope = self.memory.index.scope_number((&report.scope).into());
        let scan = short_hash(&[report.scan_id.as_str()]);
        if self.memory.index.scope(scope).ended.contains(&scan) {
            return Ok(Ok(())); // delivered twice, or given up before
        }
        let new = line.page.sequence > self.applied;
        let mut open = self.memory.scans.take(scope);
        if let Some(older) = open.take_if(|open| open.id != report.scan_id.as_str()) {
            self.abandon(scope, older, new);
        }
        let known = self.memory.index.scope_mut(scope);
        self.effects.journal.push(Undo::Scan { scope, scan: open.clone(), proved: known.proved });
        known.end(scan);
        if !new || self.ended_scans.contains(report.scan_id.as_str()) {
            return Ok(Ok(()));
        }
        let received = open.as_ref().map_or(0, OpenScan::received);
        let whole = report.outcome == ScanOutcome::Complete && report.scope.filter.is_none();
        let proved = whole && received == report.observed;
        let seen = open.map(|open| open.seen).unwrap_or_default();
        self.effects.scans.push(ScanRow {
            scan_id: report.scan_id.as_str().to_owned(),
            scope: report.scope.clone(),
            started_at,
            finished_at,
            outcome: report.outcome.as_str(),
            observed: Some(report.observed),
            received,
            api_calls: report.api_calls,
            errors: report.errors.clone(),
            proved,
        });
        if proved {
            self.absent(line, report, scope, &seen)?;
            self.memory.index.scope_mut(scope).proved = Some(started_at);
        } else {
            self.touch_all(&seen);
        }
        Ok(if received == report.observed {
            Ok(())
        } else {
            Err(format!(
                "scan report says {} were sent, {received} were received; absence is unknown",
                report.observed
            ))
        })
    }

    /// Ends what a complete scan has not seen, unless somebody has seen it since the scan began.
    fn absent(
        &mut self,
        line: &Line,
        report: &ScanReport,
        scope: u32,
        seen: &HashSet<u64>,
    ) -> Result<(), HistoryError> {
        let started_at = micros(report.started_at);
        let at = micros(report.finished_at);
        let index = &self.memory.index;
        let absent: HashSet<u64> = index
            .scope(scope)
            .members
            .iter()
            .copied()
            .filter(|id| !seen.contains(id) && index.get(*id).is_some_and(|entry| entry.last_seen < started_at))
            .collect();
        let unknown = |id: &u64| !self.open.contains_key(id) && !self.loaded.contains_key(id);
        self.load(absent.iter().copied().filter(unknown).collect())?;
        let baseline = self.baseline(scope, Some(report.scan_id.as_str()));
        // in order of keys, so that a replay says it in the same order
        let mut last: Vec<Version> = Vec::with_capacity(absent.len());
        for id in absent {
            let version = self.current_version(id)?.cloned();
            last.push(version.ok_or(HistoryError::Missing { what: "the current version of a resource", id })?);
        }
        last.sort_by(|a, b| a.resource.key.cmp(&b.resource.key));
        for version in last {
            let id = version.id;
            let Some(entry) = self.memory.index.remove(id) else { continue };
            self.effects.journal.push(Undo::Entry { id, before: Some(entry), gone: false });
            self.end_version(&version, scope, at, EndedBy::Disappeared);
            self.lives.insert(
                id,
                EarlierLife {
                    first_seen: entry.first_seen,
                    disappeared_at: at,
                    version: version.hash.to_string(),
                },
            );
            if self.settings.tracking.tracks(Track::ResourceLifecycle) {
                let change = NewChange {
                    change_type: ChangeType::Disappeared,
                    previous: Some((&version.resource, version.hash)),
                    current: None,
                    diff: Vec::new(),
                    at,
                    scan_id: Some(report.scan_id.as_str()),
                    baseline,
                    earlier_life: None,
                    first_seen: entry.first_seen,
                };
                self.effects.changes.push(change.build(line.page.sequence));
            }
        }
        Ok(())
    }

    fn touch_all(&mut self, seen: &HashSet<u64>) {
        for id in seen {
            if let Some(last_seen) = self.memory.index.get(*id).map(|entry| entry.last_seen) {
                self.touch(*id, last_seen);
            }
        }
    }

    /// Gives up a scan that will get no report any more.
    fn abandon(&mut self, scope: u32, scan: OpenScan, new: bool) {
        let known = self.memory.index.scope_mut(scope);
        known.end(short_hash(&[&scan.id]));
        if new {
            self.effects.scans.push(ScanRow {
                scan_id: scan.id.clone(),
                scope: elava_schemas::Scope {
                    provider: known.provider,
                    account: known.account.clone(),
                    region: known.region.clone(),
                    kind: known.kind.clone(),
                    filter: None,
                },
                started_at: scan.first_at,
                finished_at: scan.last_at,
                outcome: "abandoned",
                observed: None,
                received: scan.received(),
                api_calls: 0,
                errors: Vec::new(),
                proved: false,
            });
        }
        let proved = known.proved;
        if new {
            self.touch_all(&scan.seen);
        }
        self.effects.journal.push(Undo::Scan { scope, scan: Some(scan), proved });
    }

    fn abandon_silent(&mut self, lines: &[Line]) {
        let Some(last) = lines.last().filter(|line| line.page.sequence > self.applied) else { return };
        for scope in self.memory.scans.silent(self.partition, last.page.received_at) {
            if let Some(scan) = self.memory.scans.take(scope) {
                self.abandon(scope, scan, true);
            }
        }
    }
}

/// How an observation was made.
struct Seen<'a> {
    at: Timestamp,
    scope: u32,
    raw: Hash,
    sequence: u64,
    /// The open scan it belongs to.
    scan_id: Option<&'a str>,
}

struct NewChange<'a> {
    change_type: ChangeType,
    previous: Option<(&'a Resource, Hash)>,
    current: Option<(&'a Resource, Hash)>,
    diff: Vec<FieldDiff>,
    at: Timestamp,
    scan_id: Option<&'a str>,
    baseline: Baseline,
    earlier_life: Option<EarlierLife>,
    first_seen: Timestamp,
}

impl NewChange<'_> {
    fn build(self, sequence: u64) -> Detected {
        let (resource, hash) = self.current.or(self.previous).expect("a change has a version before or after");
        let before = self.previous.map(|(_, hash)| hash);
        let before_text = before.map(|hash| hash.to_string()).unwrap_or_default();
        let version = hash.to_string();
        let key = resource.key.to_string();
        let at = rfc3339(self.at);
        let scan = self.scan_id.unwrap_or_default();
        let change = Change {
            id: ChangeId::of(&[&key, self.change_type.as_str(), &before_text, &version, scan, &at]),
            change_type: self.change_type,
            baseline: self.baseline,
            resource_key: resource.key.clone(),
            version,
            details: details(self.change_type, resource, &self.diff),
            previous: self.previous.map(|(resource, _)| resource.clone()),
            current: self.current.map(|(resource, _)| resource.clone()),
            diff: self.diff,
            detected_at: self.at,
            scan_id: self.scan_id.map(|id| ScanId::from(id.to_owned())),
            cause: None,
            earlier_life: self.earlier_life,
            // the counts are added once the change is in the history
            history: (self.baseline == Baseline::No).then_some(ChangeHistory {
                first_seen: self.first_seen,
                changes_7d: 0,
                changes_30d: 0,
            }),
        };
        Detected { sequence, before, change }
    }
}

/// What the history can hold of a resource: whole microseconds, sorted relations.
fn tidy(resource: &mut Resource) {
    resource.created_at = resource.created_at.map(micros);
    resource.relations.sort();
}

fn rfc3339(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

fn future(field: &str, at: Timestamp, received_at: Timestamp) -> String {
    format!("{field} {} is in the future: it was received at {}", rfc3339(at), rfc3339(received_at))
}

fn sorted(ids: HashSet<u64>) -> Vec<u64> {
    let mut ids: Vec<u64> = ids.into_iter().collect();
    ids.sort_unstable();
    ids
}

//! What one batch of observations and scan reports does to the history. Pure: previous versions are
//! asked of a [`Past`], times come with the messages, and effects are values.
//!
//! The index is changed in place, with a journal to take everything back when the effects cannot be
//! stored. What is not in the journal (when something was last seen, what a scan has seen) is
//! harmless to repeat.

use chrono::TimeDelta;
use elava_bus::Rejection;
use elava_schemas::config::Track;
use elava_schemas::{Baseline, ChangeType, EarlierLife, Resource, ScanOutcome, ScanReport, Timestamp, micros};
use hashbrown::{HashMap, HashSet};

use crate::change::{NewChange, rfc3339};
use crate::content::{Hash, content_hash, scope_id, short_hash};
use crate::decode::{Line, Observed, Row};
use crate::diff::{Tracking, differences};
use crate::effects::{Effects, ScanRow, Undo};
use crate::index::{Entry, Index};
use crate::prices::Prices;
use crate::scans::{OpenScan, Place, Scans};
use crate::store::HistoryError;
use crate::version::{End, EndedBy, Version};

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
    work.prepare(lines)?;
    lines.iter().try_for_each(|line| work.line(line))?;
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
        let scan_id =
            observed.scan_id.as_deref().filter(|id| !self.memory.index.scope(scope).ended.contains(&short_hash(&[id])));
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
                let life = self.lives.get(&observed.id).filter(|life| at < life.disappeared_at);
                if let Some(life) = life {
                    return Ok(Err(format!(
                        "out of order: observed at {at}, but the resource had disappeared by {}",
                        life.disappeared_at
                    )));
                }
                self.appeared(observed.id, &resource, &seen, observed.scan_id.as_deref());
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

    fn appeared(&mut self, id: u64, resource: &Resource, seen: &Seen, scan_id: Option<&str>) {
        let hash = content_hash(resource);
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
                current: Some((resource, hash)),
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
        let version = self.current_version(id)?;
        let (previous, previous_hash) = (version.columns.resource()?, version.hash);
        let tags_carried = resource.tags.is_none() && previous.tags.is_some();
        if tags_carried {
            resource.tags.clone_from(&previous.tags);
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
        for difference in differences(&previous, &resource, &self.settings.tracking) {
            let change = NewChange {
                change_type: difference.change_type,
                previous: Some((&previous, previous_hash)),
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
        self.end_version(id, seen.scope, seen.at, EndedBy::Changed)?;
        let next = Entry {
            content: hash,
            raw: seen.raw,
            valid_from: seen.at,
            last_seen: seen.at.max(entry.last_seen),
            ..entry
        };
        self.effects.journal.push(Undo::Entry { id, before: Some(entry), gone: false });
        self.memory.index.insert(id, next);
        self.open_version(id, hash, &resource, tags_carried, &next, scan_id);
        Ok(Ok(()))
    }

    /// The first look at a scope: it has never been seen whole.
    fn baseline(&self, scope: u32, scan_id: Option<&str>) -> Baseline {
        Baseline::from(scan_id.is_some() && self.memory.index.scope(scope).proved.is_none())
    }

    fn current_version(&mut self, id: u64) -> Result<&Version, HistoryError> {
        if let Some(place) = self.open.get(&id) {
            return Ok(&self.effects.versions[*place]);
        }
        if !self.loaded.contains_key(&id) {
            self.load(HashSet::from([id]))?;
        }
        self.loaded.get(&id).ok_or(HistoryError::Missing { what: "the current version of a resource", id })
    }

    fn open_version(
        &mut self,
        id: u64,
        hash: Hash,
        resource: &Resource,
        tags_carried: bool,
        entry: &Entry,
        scan_id: Option<&str>,
    ) {
        self.open.insert(id, self.effects.versions.len());
        self.effects.versions.push(Version {
            id,
            hash,
            columns: resource.into(),
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
    fn end_version(&mut self, id: u64, scope: u32, at: Timestamp, by: EndedBy) -> Result<(), HistoryError> {
        let stored = [self.memory.index.scope(scope).proved, self.effects.touched.get(&id).copied()];
        let last_seen = self.current_version(id)?.last_seen;
        let last_seen = stored.into_iter().flatten().fold(last_seen, Timestamp::max);
        let end = Some(End { at, by, last_seen });
        match (self.open.remove(&id), self.loaded.remove(&id)) {
            (Some(place), _) => self.effects.versions[place].end = end,
            (None, stored) => self.effects.ended.extend(stored.map(|version| Version { end, ..version })),
        }
        Ok(())
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
        let ended = (scope_id((&report.scope).into()), report.scan_id.as_str().to_owned());
        if !new || self.ended_scans.contains(&ended) {
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
            Err(format!("scan report says {} were sent, {received} were received; absence is unknown", report.observed))
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
        let mut last = Vec::with_capacity(absent.len());
        for id in absent {
            last.push((self.current_version(id)?.columns.key.clone(), id));
        }
        last.sort();
        for (_, id) in last {
            let version = self.current_version(id)?;
            let (resource, hash) = (version.columns.resource()?, version.hash);
            let Some(entry) = self.memory.index.remove(id) else { continue };
            self.effects.journal.push(Undo::Entry { id, before: Some(entry), gone: false });
            self.end_version(id, scope, at, EndedBy::Disappeared)?;
            self.lives.insert(
                id,
                EarlierLife { first_seen: entry.first_seen, disappeared_at: at, version: hash.to_string() },
            );
            if self.settings.tracking.tracks(Track::ResourceLifecycle) {
                let change = NewChange {
                    change_type: ChangeType::Disappeared,
                    previous: Some((&resource, hash)),
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
mod tests {
    use elava_bus::{Batch, Page, Source};
    use elava_schemas::config::ChangeDetection;
    use serde_json::{Value, json};

    use super::*;
    use crate::store::{History, Records};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_timestamp_micros(minute * 60_000_000).expect("a time")
    }

    fn seen(scan: &str, id: &str, status: &str) -> Value {
        let key = format!("aws/1/r/ec2:vpc/{id}");
        json!({"kind": "observation", "scan_id": scan, "resource": {"key": key, "status": status}})
    }

    fn report(scan: &str, minute: i64, observed: u64) -> Value {
        json!({"kind": "scan_report", "scan_id": scan, "outcome": "complete", "observed": observed,
            "scope": {"provider": "aws", "account": "1", "region": "r", "type": "ec2:vpc"},
            "started_at": at(minute), "finished_at": at(minute)})
    }

    fn batch(minute: i64, rows: &[Value]) -> Batch {
        let body = rows.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
        let page = Page { sequence: 1, subject: "-".into(), first_line: 1, received_at: at(minute), body: body.into() };
        Batch { source: Source::Pipe, pages: vec![page] }
    }

    fn effects(memory: &mut Memory, history: &History, batch: &Batch) -> Effects {
        let settings = Settings {
            tracking: Tracking::new(&ChangeDetection::default()),
            prices: Prices::load(None).expect("the built-in table"),
        };
        let mut lines = crate::decode::decode(batch, |_| elava_bus::Consumes::Takes, &mut Vec::new());
        let mut effects = Effects::default();
        run(memory, history, &settings, (None, 0), &mut lines, &mut effects).expect("effects");
        effects
    }

    /// What could not be stored leaves the memory as it was: given again, it has the same effects.
    #[test]
    fn undone_effects_can_be_had_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let history = History::open(&folder.path().join("h.duckdb")).expect("a history");
        let mut memory = Memory::default();
        let first = batch(1, &[seen("s1", "a", "x"), seen("s1", "b", "x"), report("s1", 1, 2)]);
        let mut stored = effects(&mut memory, &history, &first);
        history.apply(&mut stored, &Records::default(), None).expect("stored");

        let second = [seen("s2", "a", "y"), report("s2", 5, 1), seen("s3", "c", "x"), seen("s3", "b", "x")];
        let second = batch(5, &second);
        let told = |effects: &Effects| -> Vec<String> {
            effects.changes.iter().map(|detected| detected.change.details.clone()).collect()
        };
        let expected =
            [r#"a: status changed from "x" to "y""#, "vpc b disappeared", "vpc c appeared", "vpc b appeared"];
        let undone = effects(&mut memory, &history, &second);
        assert_eq!(told(&undone), expected);
        undone.undo(&mut memory);
        assert_eq!(memory.index.len(), 2);
        let mut again = effects(&mut memory, &history, &second);
        assert_eq!(told(&again), expected);
        history.apply(&mut again, &Records::default(), None).expect("stored");
        assert!(effects(&mut memory, &history, &second).changes.is_empty(), "it is in the history now");
    }
}

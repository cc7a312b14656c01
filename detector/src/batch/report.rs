//! A scan ends: with a report, which may prove what is gone, or without.

use elava_schemas::config::Track;
use elava_schemas::{ChangeType, EarlierLife, ScanOutcome, ScanReport, micros};
use hashbrown::HashSet;

use super::{AHEAD, Work, future};
use crate::change::NewChange;
use crate::content::{scope_id, short_hash};
use crate::decode::Line;
use crate::effects::{ScanRow, Undo};
use crate::scans::OpenScan;
use crate::store::HistoryError;
use crate::version::EndedBy;

impl Work<'_> {
    pub(super) fn report(&mut self, line: &Line, report: &ScanReport) -> Result<Result<(), String>, HistoryError> {
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
        known.end(scan, started_at);
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
        let scope_resources = self.resources(scope);
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
                    scope_resources,
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
    pub(super) fn abandon(&mut self, scope: u32, scan: OpenScan, new: bool) {
        let known = self.memory.index.scope_mut(scope);
        known.end(short_hash(&[&scan.id]), scan.first_at);
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

    pub(super) fn abandon_silent(&mut self, lines: &[Line]) {
        let Some(last) = lines.last().filter(|line| line.page.sequence > self.applied) else { return };
        for scope in self.memory.scans.silent(self.partition, last.page.received_at) {
            if let Some(scan) = self.memory.scans.take(scope) {
                self.abandon(scope, scan, true);
            }
        }
    }
}

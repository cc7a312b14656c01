//! One observation: new, unchanged or changed.

use elava_schemas::config::Track;
use elava_schemas::{ChangeType, Resource, Timestamp, micros};

use super::{AHEAD, Work, future, tidy};
use crate::change::{NewChange, rfc3339};
use crate::content::{content_hash, short_hash};
use crate::decode::{Line, Observed, RawHash};
use crate::diff::differences;
use crate::effects::Undo;
use crate::index::Entry;
use crate::store::HistoryError;
use crate::version::EndedBy;

impl Work<'_> {
    pub(super) fn observed(&mut self, line: &Line, observed: &Observed) -> Result<Result<(), String>, HistoryError> {
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
        let scan_id = observed.scan_id.as_deref().filter(|id| {
            self.memory.scans.is_open(scope, id) || !self.memory.index.scope(scope).ended.contains(&short_hash(&[id]))
        });
        if let Some(scan_id) = scan_id {
            let seen = (observed.id, observed.raw);
            let expected = self.memory.index.scope(scope).members.len();
            if let Some(older) = self.memory.scans.saw(scope, scan_id, self.place(line), at, seen, expected) {
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
                scope_resources: self.resources(seen.scope),
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
                scope_resources: self.resources(seen.scope),
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
}

/// How an observation was made.
struct Seen<'a> {
    at: Timestamp,
    scope: u32,
    raw: RawHash,
    sequence: u64,
    /// The open scan it belongs to.
    scan_id: Option<&'a str>,
}

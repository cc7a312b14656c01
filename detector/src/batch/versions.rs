//! Versions begin and end.

use elava_schemas::{Resource, Timestamp};
use hashbrown::HashSet;

use super::Work;
use crate::content::Hash;
use crate::index::Entry;
use crate::store::HistoryError;
use crate::version::{End, EndedBy, Version};

impl Work<'_> {
    pub(super) fn current_version(&mut self, id: u64) -> Result<&Version, HistoryError> {
        if let Some(place) = self.open.get(&id) {
            return Ok(&self.effects.versions[*place]);
        }
        if !self.loaded.contains_key(&id) {
            self.load(HashSet::from([id]))?;
        }
        self.loaded.get(&id).ok_or(HistoryError::Missing { what: "the current version of a resource", id })
    }

    pub(super) fn open_version(
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
    pub(super) fn end_version(&mut self, id: u64, scope: u32, at: Timestamp, by: EndedBy) -> Result<(), HistoryError> {
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
}

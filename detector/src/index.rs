//! What exists now, in memory: enough to see that an observation is unchanged without SQL.

use std::collections::VecDeque;

use elava_schemas::{Provider, ScopeRef, Timestamp};
use hashbrown::{HashMap, HashSet};

use crate::content::{Hash, scope_id};
use crate::decode::RawHash;

/// How many ended scans of a scope are remembered, so that late rows do not open them again.
pub(crate) const ENDED_SCANS: usize = 8;

/// What is known of one existing resource. Keep it small: there are millions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Entry {
    /// Hash of the current version.
    pub(crate) content: Hash,
    /// Hash of the bytes last seen with this content; zero after a restart.
    pub(crate) raw: RawHash,
    pub(crate) valid_from: Timestamp,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
    /// Number of its scope.
    pub(crate) scope: u32,
}

/// What is known of one scope.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) provider: Provider,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) kind: String,
    /// Start of the last scan that proved what exists.
    pub(crate) proved: Option<Timestamp>,
    /// Start of the last scan that has ended, whatever it proved.
    pub(crate) latest: Option<Timestamp>,
    /// Resources that exist in it.
    pub(crate) members: HashSet<u64>,
    /// Hashes of the ids of scans that have ended.
    pub(crate) ended: VecDeque<u64>,
}

impl Scope {
    /// Whether a scan that is not remembered may have ended all the same: one that began after all that have has not.
    pub(crate) fn may_have_ended(&self, started_at: Timestamp) -> bool {
        self.latest.is_some_and(|latest| started_at <= latest)
    }

    /// Remembers a scan as ended.
    pub(crate) fn end(&mut self, scan: u64, started_at: Timestamp) {
        self.latest = self.latest.max(Some(started_at));
        if self.ended.len() == ENDED_SCANS {
            self.ended.pop_front();
        }
        self.ended.push_back(scan);
    }
}

/// Resources by number, and their scopes.
#[derive(Debug, Default)]
pub(crate) struct Index {
    entries: HashMap<u64, Entry>,
    /// Resources that existed once and do not now.
    gone: HashSet<u64>,
    scopes: Vec<Scope>,
    scope_numbers: HashMap<u64, u32>,
}

impl Index {
    pub(crate) fn get(&self, id: u64) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Entry> {
        self.entries.get_mut(&id)
    }

    /// Whether it existed once and does not now.
    pub(crate) fn is_gone(&self, id: u64) -> bool {
        self.gone.contains(&id)
    }

    /// Whether it is or was there: its key is stored.
    pub(crate) fn is_known(&self, id: u64) -> bool {
        self.entries.contains_key(&id) || self.gone.contains(&id)
    }

    /// A resource that exists.
    pub(crate) fn insert(&mut self, id: u64, entry: Entry) {
        self.scopes[entry.scope as usize].members.insert(id);
        self.entries.insert(id, entry);
        self.gone.remove(&id);
    }

    /// A resource that exists no more.
    pub(crate) fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.scopes[entry.scope as usize].members.remove(&id);
        self.gone.insert(id);
        Some(entry)
    }

    /// Takes back an insertion of something unknown before.
    pub(crate) fn forget(&mut self, id: u64) {
        self.remove(id);
        self.gone.remove(&id);
    }

    /// A resource known from earlier, that does not exist now.
    pub(crate) fn insert_gone(&mut self, id: u64) {
        self.gone.insert(id);
    }

    /// The number of a scope, new or known.
    pub(crate) fn scope_number(&mut self, scope: ScopeRef) -> u32 {
        *self.scope_numbers.entry(scope_id(scope)).or_insert_with(|| {
            self.scopes.push(Scope {
                provider: scope.provider,
                account: scope.account.to_owned(),
                region: scope.region.to_owned(),
                kind: scope.kind.to_owned(),
                proved: None,
                latest: None,
                members: HashSet::new(),
                ended: VecDeque::new(),
            });
            u32::try_from(self.scopes.len() - 1).expect("fewer than 4 billion scopes")
        })
    }

    /// The number of a scope that is known by its hash.
    pub(crate) fn scope_by_id(&self, id: u64) -> Option<u32> {
        self.scope_numbers.get(&id).copied()
    }

    pub(crate) fn scope(&self, number: u32) -> &Scope {
        &self.scopes[number as usize]
    }

    pub(crate) fn scope_mut(&mut self, number: u32) -> &mut Scope {
        &mut self.scopes[number as usize]
    }

    /// How many resources exist.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Entry>() <= 96, "{}", size_of::<Entry>());
    }
}

//! Scans that have begun and not ended: what was seen in each, so that absence can be proved.

use elava_schemas::Timestamp;
use hashbrown::{HashMap, HashSet};

use crate::decode::RawHash;

/// A scan of which nothing came for this long (message time) is given up.
pub(crate) const ABANDONED_AFTER: chrono::TimeDelta = chrono::TimeDelta::hours(1);

/// Where a row came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Partition of the observation stream; `None` in a pipe.
    pub(crate) partition: Option<u16>,
    pub(crate) sequence: u64,
    pub(crate) received_at: Timestamp,
}

/// One scan that has begun.
#[derive(Clone, Debug)]
pub(crate) struct OpenScan {
    pub(crate) id: String,
    pub(crate) partition: Option<u16>,
    /// Position of its first page.
    pub(crate) first_sequence: u64,
    pub(crate) first_at: Timestamp,
    pub(crate) last_at: Timestamp,
    pub(crate) last_received: Timestamp,
    /// Resources seen.
    pub(crate) seen: HashSet<u64>,
    /// Distinct rows: the same page delivered twice does not count twice.
    rows: HashSet<u64>,
}

impl OpenScan {
    /// `expected` is how many resources it may see.
    fn new(id: &str, place: Place, at: Timestamp, expected: usize) -> Self {
        Self {
            id: id.to_owned(),
            partition: place.partition,
            first_sequence: place.sequence,
            first_at: at,
            last_at: at,
            last_received: place.received_at,
            seen: HashSet::with_capacity(expected),
            rows: HashSet::with_capacity(expected),
        }
    }

    /// How many distinct rows were received.
    pub(crate) fn received(&self) -> u64 {
        self.rows.len() as u64
    }
}

/// The open scans, one a scope at most: a scope's rows are in order.
#[derive(Debug, Default)]
pub(crate) struct Scans(HashMap<u32, OpenScan>);

impl Scans {
    /// Whether the open scan of a scope is this one.
    pub(crate) fn is_open(&self, scope: u32, scan_id: &str) -> bool {
        self.0.get(&scope).is_some_and(|scan| scan.id == scan_id)
    }

    /// A row of a scan, of which so many are `expected`. Gives back the older scan of the scope that this one replaces.
    pub(crate) fn saw(
        &mut self,
        scope: u32,
        scan_id: &str,
        place: Place,
        at: Timestamp,
        (resource, raw): (u64, RawHash),
        expected: usize,
    ) -> Option<OpenScan> {
        let replaced = match self.0.get(&scope) {
            Some(open) if open.id == scan_id => None,
            _ => self.0.insert(scope, OpenScan::new(scan_id, place, at, expected)),
        };
        let open = self.0.get_mut(&scope).expect("inserted above");
        open.last_at = open.last_at.max(at);
        open.first_at = open.first_at.min(at);
        open.last_received = place.received_at;
        open.seen.insert(resource);
        open.rows.insert(resource.rotate_left(17) ^ raw.half());
        replaced
    }

    /// Takes the open scan of a scope.
    pub(crate) fn take(&mut self, scope: u32) -> Option<OpenScan> {
        self.0.remove(&scope)
    }

    /// Puts one back.
    pub(crate) fn put(&mut self, scope: u32, scan: OpenScan) {
        self.0.insert(scope, scan);
    }

    /// Scopes whose scan of this partition has been silent too long.
    pub(crate) fn silent(&self, partition: Option<u16>, now: Timestamp) -> Vec<u32> {
        let silent = |scan: &OpenScan| scan.partition == partition && scan.last_received + ABANDONED_AFTER < now;
        let mut scopes: Vec<u32> = self.0.iter().filter(|(_, scan)| silent(scan)).map(|(scope, _)| *scope).collect();
        scopes.sort_unstable();
        scopes
    }

    /// The first position from which the open scans of a partition can be seen again.
    pub(crate) fn first_sequence(&self, partition: u16) -> Option<u64> {
        self.0.values().filter(|scan| scan.partition == Some(partition)).map(|scan| scan.first_sequence).min()
    }

    /// Forgets the open scans of a partition: they are about to be read again.
    pub(crate) fn forget(&mut self, partition: u16) {
        self.0.retain(|_, scan| scan.partition != Some(partition));
    }

    /// Every open scan, by scope.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &OpenScan)> {
        self.0.iter().map(|(scope, scan)| (*scope, scan))
    }
}

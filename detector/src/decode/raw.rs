//! Whether the bytes of a resource are the ones seen before.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use highway::{HighwayHash, HighwayHasher, Key};

/// A hash of a resource's bytes, several times cheaper than one of its content. Keyed, so that nobody
/// outside can make two rows that look the same here; the key is this process's own, so it is never stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawHash([u64; 2]);

static KEY: LazyLock<Key> = LazyLock::new(|| {
    let random = RandomState::new();
    Key([0, 1, 2, 3].map(|number: u8| random.hash_one(number)))
});

impl RawHash {
    /// The hash of these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(HighwayHasher::new(*KEY).hash128(bytes))
    }

    /// Half of it: enough for the members of one set.
    pub(crate) fn half(self) -> u64 {
        self.0[0]
    }
}

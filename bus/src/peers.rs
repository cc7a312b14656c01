//! The other holders of a stage's groups, and how they are reached.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// What the holder of each group says of itself ([`crate::Stage::about`]), as it was last seen in the leases: at most
/// a renewal ago. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Peers(Arc<RwLock<BTreeMap<u16, String>>>);

impl Peers {
    /// By the number of the group. Missing where nobody holds it, or its holder has nothing to say.
    #[must_use]
    pub fn all(&self) -> BTreeMap<u16, String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn are(&self, all: BTreeMap<u16, String>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = all;
    }
}

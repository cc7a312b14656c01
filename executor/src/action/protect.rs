//! Protects: a tag that says so, and the cloud's own protection from being deleted where the type has one.

use std::collections::BTreeMap;

use super::Plan;
use crate::{Part, Reality};

/// The tag that says that a resource is protected.
const TAG: &str = "elava:protected";

pub(super) fn plan(reality: &Reality) -> Plan {
    let tags = BTreeMap::from([(TAG.to_owned(), Some("true".to_owned()))]);
    Plan::towards(Part { tags, deletion_protection: reality.deletion_protection.map(|_| true) }, reality)
}

//! Restores tags that have drifted: values as they were, without the tags that were not there.

use std::collections::BTreeMap;

use elava_schemas::{Decision, Tags};

use super::{Plan, tags_of};
use crate::reality::is_writable;
use crate::{Part, Reality};

/// Only where the tags are those that the decision saw, every one of them.
pub(super) fn plan(decision: &Decision, reality: &Reality) -> Plan {
    if decision.metadata.get("action").is_none_or(|action| action != "restore_tags") {
        return Plan::skip("only tags can be restored (metadata.action: restore_tags)");
    }
    let (Some(previous), Some(seen)) = (tags_of(decision, "previous_tags"), tags_of(decision, "current_tags")) else {
        return Plan::skip("the decision does not say which tags to restore (previous_tags, current_tags)");
    };
    let now: Tags = reality
        .tags
        .iter()
        .filter(|(tag, _)| is_writable(tag))
        .map(|(tag, value)| (tag.clone(), value.clone()))
        .collect();
    if now != seen && now != previous {
        return Plan::moved_on("its tags are not those that the decision saw", Part::all_tags(reality));
    }
    let drifted = seen.keys().chain(previous.keys()).filter(|tag| seen.get(*tag) != previous.get(*tag));
    let tags: BTreeMap<String, Option<String>> = drifted.map(|tag| (tag.clone(), previous.get(tag).cloned())).collect();
    Plan::towards(Part { tags, deletion_protection: None }, reality)
}

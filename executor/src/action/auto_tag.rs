//! Adds tags that are missing, with the values that the rules give.

use std::collections::BTreeMap;

use elava_schemas::Decision;
use elava_schemas::config::{TagRule, Tagging};

use super::Plan;
use crate::reality::is_writable;
use crate::{Part, Reality};

/// All that the decision found missing and a rule has a value for. Where one of them is there meanwhile, another decision
/// will say what still lacks.
pub(super) fn plan(decision: &Decision, reality: &Reality, tagging: &Tagging) -> Plan {
    let missing: Vec<String> = decision.metadata.get("missing_tags").and_then(names).unwrap_or_default();
    if missing.is_empty() {
        return Plan::skip("the decision does not say which tags are missing (missing_tags)");
    }
    let seen = Part { tags: missing.iter().map(|tag| (tag.clone(), None)).collect(), deletion_protection: None };
    let found = seen.now(reality);
    match found.tags.values().filter(|value| value.is_some()).count() {
        0 => {}
        all if all == found.tags.len() => {
            return Plan::Skip { reason: "it is as wanted already".to_owned(), found: Some(found) };
        }
        _ => return Plan::moved_on("some of the missing tags are there", found),
    }
    let valued = missing.iter().filter(|tag| is_writable(tag)).filter_map(|tag| {
        let value = value(tag, tagging.rules.get(tag)?, reality)?;
        Some((tag.clone(), Some(value)))
    });
    let tags: BTreeMap<String, Option<String>> = valued.collect();
    if tags.is_empty() {
        return Plan::skip(format!("no rule has a value for {}", missing.join(", ")));
    }
    Plan::towards(Part { tags, deletion_protection: None }, reality)
}

fn names(value: &serde_json::Value) -> Option<Vec<String>> {
    serde_json::from_value(value.clone()).ok()
}

/// The first value that the rule finds; an empty one is none.
fn value(tag: &str, rule: &TagRule, reality: &Reality) -> Option<String> {
    let own = rule.from_tags.iter().filter_map(|tag| reality.tags.get(tag));
    let of_vpc = reality.vpc_tags.as_ref().filter(|_| rule.from_vpc).and_then(|tags| tags.get(tag));
    own.chain(of_vpc).chain(&rule.value).find(|value| !value.is_empty()).cloned()
}

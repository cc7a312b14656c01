//! What people were told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Compared;
use crate::cloud::ACCOUNT;
use crate::receiver::Told;

pub(super) fn compare(undisturbed: &Told, disturbed: &Told) -> Vec<Compared> {
    vec![
        Compared::sets("notifications", &replayed(undisturbed), &replayed(disturbed)),
        Compared::sets("notifications observed", &observed(undisturbed), &observed(disturbed)),
        Compared::sets("order of notifications of a finding", &order(undisturbed), &order(disturbed)),
    ]
}

fn is_observed(decision: &Value) -> bool {
    decision["resource_key"]["account"] == ACCOUNT
}

/// Each as a whole.
fn replayed(told: &Told) -> BTreeSet<String> {
    let decisions = told.notifications.values().map(|notification| &notification.decision);
    decisions.filter(|decision| !is_observed(decision)).map(ToString::to_string).collect()
}

/// Without what depends on when it was, and how often.
fn observed(told: &Told) -> BTreeSet<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for notification in told.notifications.values().filter(|notification| is_observed(&notification.decision)) {
        let said = ["action", "severity", "state", "resource_key", "reason"]
            .map(|field| notification.decision[field].to_string());
        *counts.entry(said.join(" ")).or_default() += 1;
    }
    counts.into_iter().map(|(said, times)| format!("{times} times {said}")).collect()
}

/// The ids of each replayed finding, in the order they came.
fn order(told: &Told) -> BTreeSet<String> {
    let is_replayed = |key: &String| !is_observed(&told.notifications[key].decision);
    let findings = told.order.iter().filter(|(_, keys)| keys.iter().all(is_replayed));
    findings.map(|(finding, keys)| format!("{finding}: {}", keys.join(" "))).collect()
}

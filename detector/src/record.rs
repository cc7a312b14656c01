//! What later stages said, made ready to be stored. Pure.

use elava_schemas::{Message, PolicyResult, ResourceKey, Subject, micros};
use hashbrown::HashSet;

use crate::content::key_id;
use crate::store::{Records, StoredViolation};

/// The messages of one batch, in order.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    records: Records,
    results: Vec<PolicyResult>,
    heard: HashSet<u64>,
    evaluated: HashSet<u64>,
}

impl Recorder {
    /// Adds a message. `is_known` says whether a resource's key is stored, `is_open` whether it has open violations.
    pub(crate) fn add(&mut self, message: Message, is_known: &dyn Fn(u64) -> bool, is_open: &HashSet<u64>) {
        let kind = message.kind();
        let mut resource = |key: &ResourceKey| {
            let id = key_id(key);
            if !is_known(id) && self.heard.insert(id) {
                self.records.keys.push((id, key.clone()));
            }
            Some(id)
        };
        let (id, text) = match message {
            Message::PolicyResult(result) => {
                let id = key_id(&result.resource_key);
                let says_something = !result.violations.is_empty() || !result.errors.is_empty();
                if says_something || is_open.contains(&id) || self.evaluated.contains(&id) {
                    self.evaluated.insert(id);
                    resource(&result.resource_key);
                    if !result.errors.is_empty() {
                        self.records.messages.push((kind, Some(id), json(&result)));
                    }
                    self.results.push(*result);
                }
                return;
            }
            Message::Change(mut change) => {
                // a change from elsewhere: its versions are not in this history
                (change.previous, change.current) = (None, None);
                (resource(&change.resource_key), json(&change))
            }
            Message::Decision(decision) => (resource(&decision.resource_key), json(&decision)),
            Message::Execution(execution) => (resource(&execution.resource_key), json(&execution)),
            Message::Approval(approval) => (None, json(&approval)),
            Message::Delivery(delivery) => (None, json(&delivery)),
            _ => return,
        };
        self.records.messages.push((kind, id, text));
    }

    /// Resources whose open violations are needed.
    pub(crate) fn evaluated(&self) -> Vec<u64> {
        let mut ids: Vec<u64> = self.evaluated.iter().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// What is to be stored, given the open violations of [`Self::evaluated`].
    pub(crate) fn finish(mut self, open: Vec<StoredViolation>) -> Records {
        self.records.settled = self.evaluated();
        self.records.violations = open;
        for result in &self.results {
            settle(&mut self.records.violations, result);
        }
        self.records
    }
}

/// Closes what a result no longer finds, opens what it finds first, refreshes the rest. What a
/// failing policy found before stays: an error is never a pass.
fn settle(violations: &mut Vec<StoredViolation>, result: &PolicyResult) {
    let resource = key_id(&result.resource_key);
    let at = micros(result.evaluated_at);
    let found = |policy: &str, rule: &str| {
        let same = |violation: &&elava_schemas::Violation| violation.policy == policy && violation.rule == rule;
        result.violations.iter().find(same).filter(|_| result.subject == Subject::Present)
    };
    let failed =
        |policy: &str| result.subject == Subject::Present && result.errors.iter().any(|error| error.policy == policy);
    let mut known = HashSet::new();
    for stored in violations.iter_mut().filter(|stored| stored.resource == resource && stored.closed.is_none()) {
        match found(&stored.policy, &stored.rule) {
            Some(violation) => {
                violation.severity.as_str().clone_into(&mut stored.severity);
                stored.message.clone_from(&violation.message);
                stored.suggestion.clone_from(&violation.suggestion);
                stored.bundle.clone_from(&result.bundle);
                known.insert((violation.policy.as_str(), violation.rule.as_str()));
            }
            None if failed(&stored.policy) => {}
            None => stored.closed = Some((at, result.id.as_str().to_owned())),
        }
    }
    let present = result.violations.iter().filter(|_| result.subject == Subject::Present);
    for violation in present {
        if known.insert((violation.policy.as_str(), violation.rule.as_str())) {
            violations.push(StoredViolation {
                resource,
                policy: violation.policy.clone(),
                rule: violation.rule.clone(),
                severity: violation.severity.as_str().to_owned(),
                message: violation.message.clone(),
                suggestion: violation.suggestion.clone(),
                bundle: result.bundle.clone(),
                opened_at: at,
                opened_by: result.id.as_str().to_owned(),
                closed: None,
            });
        }
    }
}

fn json<T: serde::Serialize>(message: &T) -> String {
    serde_json::to_string(message).expect("messages have string keys and infallible serialisers")
}

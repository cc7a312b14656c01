//! What later stages said, made ready to be stored. Pure.

use elava_schemas::{Message, PolicyResult, ResourceKey, Subject, micros};
use hashbrown::HashSet;

use crate::content::key_id;
use crate::shard::Shard;
use crate::store::{Records, StoredViolation};

/// The messages of one batch, in order.
#[derive(Debug)]
pub(crate) struct Recorder {
    shard: Shard,
    records: Records,
    results: Vec<PolicyResult>,
    heard: HashSet<u64>,
    evaluated: HashSet<u64>,
    ids: HashSet<String>,
}

impl Recorder {
    /// Of what is said of resources of this shard.
    pub(crate) fn new(shard: Shard) -> Self {
        Self {
            shard,
            records: Records::default(),
            results: Vec::new(),
            heard: HashSet::new(),
            evaluated: HashSet::new(),
            ids: HashSet::new(),
        }
    }

    /// Adds a message, unless it is of another shard's resource; approvals and deliveries name none, and are kept by
    /// every shard. `is_known` says whether a resource's key is stored, `is_open` whether it has open violations.
    pub(crate) fn add(&mut self, message: Message, is_known: &dyn Fn(u64) -> bool, is_open: &HashSet<u64>) {
        let key = match &message {
            Message::PolicyResult(result) => Some(&result.resource_key),
            Message::Change(change) => Some(&change.resource_key),
            Message::Decision(decision) => Some(&decision.resource_key),
            Message::Execution(execution) => Some(&execution.resource_key),
            _ => None,
        };
        if !key.is_none_or(|key| self.shard.owns(key)) {
            return;
        }
        match message {
            Message::PolicyResult(result) => self.result(*result, is_known, is_open),
            Message::Change(mut change) if self.is_new(change.id.as_str()) => {
                // found elsewhere: its versions are not in this history
                (change.previous, change.current) = (None, None);
                self.resource(&change.resource_key, is_known);
                self.records.changes.push(*change);
            }
            Message::Decision(decision) if self.is_new(decision.id.as_str()) => {
                self.resource(&decision.resource_key, is_known);
                self.records.decisions.push(*decision);
            }
            Message::Execution(execution) if self.is_new(execution.id.as_str()) => {
                self.resource(&execution.resource_key, is_known);
                self.records.executions.push(*execution);
            }
            Message::Approval(approval) if self.is_new(approval.id.as_str()) => self.records.approvals.push(*approval),
            Message::Delivery(delivery) if self.is_new(delivery.id.as_str()) => self.records.deliveries.push(*delivery),
            _ => {}
        }
    }

    fn is_new(&mut self, id: &str) -> bool {
        self.ids.insert(id.to_owned())
    }

    fn resource(&mut self, key: &ResourceKey, is_known: &dyn Fn(u64) -> bool) {
        let id = key_id(key);
        if !is_known(id) && self.heard.insert(id) {
            self.records.keys.push((id, key.clone()));
        }
    }

    fn result(&mut self, result: PolicyResult, is_known: &dyn Fn(u64) -> bool, is_open: &HashSet<u64>) {
        let id = key_id(&result.resource_key);
        let says_something = !result.violations.is_empty() || !result.errors.is_empty();
        if !says_something && !is_open.contains(&id) && !self.evaluated.contains(&id) {
            return;
        }
        self.evaluated.insert(id);
        self.resource(&result.resource_key, is_known);
        self.results.push(result);
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
        let mut results = self.results;
        results.retain(|result| !result.errors.is_empty() && self.ids.insert(result.id.as_str().to_owned()));
        self.records.results = results;
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

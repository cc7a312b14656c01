//! What the later stages said, as it is stored.

use duckdb::{Appender, params};
use elava_schemas::{Approval, Change, Decision, Delivery, Execution, PolicyResult, ResourceKey, Timestamp};
use hashbrown::HashSet;

use super::read::{get, instant, list};
use super::write::{micros, parts, way};
use super::{History, HistoryError};
use crate::content::key_id;
use crate::version::json;

/// A violation as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredViolation {
    pub(crate) resource: u64,
    pub(crate) policy: String,
    pub(crate) rule: String,
    pub(crate) severity: String,
    pub(crate) message: String,
    pub(crate) suggestion: Option<String>,
    pub(crate) bundle: String,
    pub(crate) opened_at: Timestamp,
    pub(crate) opened_by: String,
    /// When, and by which result.
    pub(crate) closed: Option<(Timestamp, String)>,
}

/// What is to be recorded of one batch; no message twice.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// Keys of resources never heard of before.
    pub(crate) keys: Vec<(u64, ResourceKey)>,
    /// Resources whose violations were evaluated again.
    pub(crate) settled: Vec<u64>,
    /// All that is known of their violations that were open before or are new.
    pub(crate) violations: Vec<StoredViolation>,
    /// Policy results, for their errors.
    pub(crate) results: Vec<PolicyResult>,
    /// Changes found by another detector.
    pub(crate) changes: Vec<Change>,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) approvals: Vec<Approval>,
    pub(crate) executions: Vec<Execution>,
    pub(crate) deliveries: Vec<Delivery>,
}

impl Records {
    /// Whether nothing is to be stored.
    pub(crate) fn is_empty(&self) -> bool {
        self.settled.is_empty()
            && self.results.is_empty()
            && self.changes.is_empty()
            && self.decisions.is_empty()
            && self.approvals.is_empty()
            && self.executions.is_empty()
            && self.deliveries.is_empty()
    }
}

impl History {
    /// The open violations of these resources.
    pub(crate) fn open_violations(&self, resources: &[u64]) -> Result<Vec<StoredViolation>, HistoryError> {
        let mut open = Vec::new();
        self.each(include_str!("read_violations.sql"), params![list(resources)], |row| {
            open.push(StoredViolation {
                resource: get(row, 0)?,
                policy: get(row, 1)?,
                rule: get(row, 2)?,
                severity: get(row, 3)?,
                message: get(row, 4)?,
                suggestion: get(row, 5)?,
                bundle: get(row, 6)?,
                opened_at: instant(get(row, 7)?)?,
                opened_by: get(row, 8)?,
                closed: None,
            });
            Ok(())
        })?;
        Ok(open)
    }

    /// Every resource with an open violation.
    pub(crate) fn violators(&self) -> Result<HashSet<u64>, HistoryError> {
        let mut violators = HashSet::new();
        self.each("SELECT DISTINCT resource_id FROM violations WHERE closed_at IS NULL", [], |row| {
            violators.insert(get(row, 0)?);
            Ok(())
        })?;
        Ok(violators)
    }

    /// Stores what later stages said; within a transaction.
    pub(super) fn record(&self, records: &Records) -> Result<(), HistoryError> {
        self.write_keys(&records.keys)?;
        if !records.settled.is_empty() {
            self.write(&way!("violations"), || {
                let settled = &records.settled;
                self.append("staged_settled", |to| settled.iter().try_for_each(|id| to.append_row(params![id])))?;
                self.append("staged_violations", |to| records.violations.iter().try_for_each(|row| violation(to, row)))
            })?;
        }
        self.each_of(&way!("policy_errors"), "staged_policy_errors", &records.results, errors)?;
        self.each_of(&way!("foreign_changes"), "staged_foreign_changes", &records.changes, change)?;
        self.each_of(&way!("decisions"), "staged_decisions", &records.decisions, decision)?;
        self.each_of(&way!("approvals"), "staged_approvals", &records.approvals, approval)?;
        self.each_of(&way!("executions"), "staged_executions", &records.executions, execution)?;
        self.each_of(&way!("deliveries"), "staged_deliveries", &records.deliveries, delivery)
    }
}

fn violation(appender: &mut Appender, violation: &StoredViolation) -> duckdb::Result<()> {
    let closed = violation.closed.as_ref();
    appender.append_row(params![
        violation.resource,
        violation.policy,
        violation.rule,
        violation.severity,
        violation.message,
        violation.suggestion,
        violation.bundle,
        micros(violation.opened_at),
        closed.map(|(at, _)| micros(*at)),
        violation.opened_by,
        closed.map(|(_, by)| by),
    ])
}

fn errors(appender: &mut Appender, result: &PolicyResult) -> duckdb::Result<()> {
    let (id, resource) = (result.id.as_str(), key_id(&result.resource_key));
    result.errors.iter().try_for_each(|error| {
        let at = micros(result.evaluated_at);
        appender.append_row(params![id, resource, error.policy, error.message, result.bundle, at])
    })
}

fn change(appender: &mut Appender, change: &Change) -> duckdb::Result<()> {
    let (key, text) = (&change.resource_key, change.resource_key.to_string());
    let (scope, local_id) = parts(&text);
    appender.append_row(params![
        change.id.as_str(),
        change.change_type.as_str(),
        bool::from(change.baseline),
        key_id(key),
        key.provider.as_str(),
        key.account,
        key.region,
        key.kind,
        scope,
        local_id,
        (!change.diff.is_empty()).then(|| json(&change.diff)),
        micros(change.detected_at),
        change.scan_id.as_ref().map(|id| id.as_str()),
        change.details,
        change.cause.as_ref().map(json),
        change.earlier_life.as_ref().map(json),
    ])
}

fn decision(appender: &mut Appender, decision: &Decision) -> duckdb::Result<()> {
    appender.append_row(params![
        decision.id.as_str(),
        decision.action.as_str(),
        key_id(&decision.resource_key),
        decision.severity.as_str(),
        decision.reason,
        decision.finding.as_str(),
        decision.state.as_str(),
        json(&decision.caused_by),
        decision.requires_approval,
        decision.not_before.map(micros),
        micros(decision.decided_at),
        (!decision.metadata.is_empty()).then(|| json(&decision.metadata)),
        decision.approve_by.map(micros),
    ])
}

fn approval(appender: &mut Appender, approval: &Approval) -> duckdb::Result<()> {
    let Approval { id, decision_id, by, verdict, reason, at } = approval;
    appender.append_row(params![id.as_str(), decision_id.as_str(), by, verdict.as_str(), reason, micros(*at)])
}

fn execution(appender: &mut Appender, execution: &Execution) -> duckdb::Result<()> {
    appender.append_row(params![
        execution.id.as_str(),
        execution.decision_id.as_str(),
        key_id(&execution.resource_key),
        execution.outcome.as_str(),
        execution.before.as_ref().map(json),
        execution.after.as_ref().map(json),
        execution.error,
        micros(execution.at),
    ])
}

fn delivery(appender: &mut Appender, delivery: &Delivery) -> duckdb::Result<()> {
    appender.append_row(params![
        delivery.id.as_str(),
        delivery.decision_id.as_str(),
        delivery.channel,
        delivery.outcome.as_str(),
        delivery.attempts,
        micros(delivery.at),
        delivery.error,
    ])
}

//! One input being decided: what was open before, and what came of it.

use elava_schemas::config::{Config, EnforcementMode, EventSeverity};
use elava_schemas::{
    Action, Decision, DecisionId, DecisionState, FindingId, ResourceKey, ResourceLabel, Severity, Timestamp,
};
use serde_json::{Map, Value};

use super::text;
use crate::finding::{Cause, Finding, Origin, fingerprint};

/// More about a decision's cause.
pub(super) type Metadata = Map<String, Value>;

/// Whether the resource is blessed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Blessing {
    Blessed,
    None,
}

/// One input being decided.
pub(super) struct Case<'a> {
    pub(super) config: &'a Config,
    /// The id of the input.
    pub(super) id: &'a str,
    pub(super) at: Timestamp,
    pub(super) key: &'a ResourceKey,
    pub(super) label: ResourceLabel,
    pub(super) blessing: Blessing,
    pub(super) findings: Vec<Finding>,
    pub(super) decisions: Vec<Decision>,
}

/// A finding as this input shows it.
pub(super) struct Raise<'a> {
    pub(super) cause: Cause,
    pub(super) policy: Option<&'a str>,
    pub(super) rule: Option<&'a str>,
    pub(super) severity: Severity,
    pub(super) action: Action,
    pub(super) message: String,
    pub(super) metadata: Metadata,
    pub(super) origin: Option<Origin>,
}

impl Case<'_> {
    /// Opens a finding, or changes the open one. What this very input has already led to is not
    /// said again. Exceptions, when they come, are looked up here.
    pub(super) fn raise(&mut self, raise: Raise) {
        let fingerprint = fingerprint(self.key, raise.cause, raise.policy, raise.rule);
        let action = self.permitted(raise.action);
        let Some(index) = self.position(&fingerprint) else {
            self.findings.push(Finding {
                fingerprint: fingerprint.clone(),
                cause: raise.cause,
                policy: raise.policy.map(str::to_owned),
                rule: raise.rule.map(str::to_owned),
                severity: raise.severity,
                message: raise.message.clone(),
                action,
                opened_at: self.at,
                caused_by: self.id.to_owned(),
                origin: raise.origin,
            });
            return self.decide(fingerprint, DecisionState::New, action, raise.severity, raise.message, raise.metadata);
        };
        let finding = &mut self.findings[index];
        if finding.caused_by == self.id {
            return;
        }
        // Whoever was told of a finding is also told that it has become milder.
        let told = finding.action != Action::Audit;
        let action = if told && action == Action::Audit { Action::Notify } else { action };
        finding.severity = raise.severity;
        finding.message.clone_from(&raise.message);
        finding.action = action;
        self.id.clone_into(&mut finding.caused_by);
        self.decide(fingerprint, DecisionState::Changed, action, raise.severity, raise.message, raise.metadata);
    }

    /// Decides on an event that has no life of its own: no finding is kept. `None` is `off`.
    pub(super) fn record(&mut self, cause: Cause, severity: Option<Severity>, message: String, metadata: Metadata) {
        let fingerprint = fingerprint(self.key, cause, None, None);
        let action = severity.map_or(Action::Audit, telling);
        let severity = severity.unwrap_or(Severity::Info);
        self.decide(fingerprint, DecisionState::New, action, severity, message, metadata);
    }

    /// Ends one finding and tells it as the finding was told.
    pub(super) fn resolve(&mut self, finding: Finding, message: String) {
        // An acting decision about something that is over could be carried out by mistake.
        let action = if is_acting(finding.action) { Action::Notify } else { finding.action };
        self.resolve_as(finding, action, message);
    }

    /// Ends one finding.
    pub(super) fn resolve_as(&mut self, finding: Finding, action: Action, message: String) {
        let metadata = finding_metadata(finding.cause, finding.policy.as_deref(), finding.rule.as_deref());
        self.decide(finding.fingerprint, DecisionState::Resolved, action, finding.severity, message, metadata);
    }

    /// Takes the open finding of a cause out, if it is over.
    pub(super) fn take(&mut self, cause: Cause, is_over: impl Fn(&Finding) -> bool) -> Option<Finding> {
        let index = self.findings.iter().position(|finding| finding.cause == cause && is_over(finding))?;
        Some(self.findings.remove(index))
    }

    /// The open finding with this fingerprint.
    pub(super) fn position(&self, fingerprint: &FindingId) -> Option<usize> {
        self.findings.iter().position(|finding| finding.fingerprint == *fingerprint)
    }

    /// Adds one decision; its reason is the message and the resource. Action is part of its id, since one transition can ask for two.
    pub(super) fn decide(
        &mut self,
        finding: FindingId,
        state: DecisionState,
        action: Action,
        severity: Severity,
        message: String,
        mut metadata: Metadata,
    ) {
        let acting = is_acting(action);
        if acting && self.config.policies.enforcement_mode == EnforcementMode::DryRun {
            metadata.insert("dry_run".to_owned(), true.into());
        }
        if self.blessing == Blessing::Blessed {
            metadata.insert("blessed".to_owned(), true.into());
        }
        self.decisions.push(Decision {
            id: DecisionId::of(&[finding.as_str(), state.as_str(), action.as_str(), self.id]),
            action,
            resource_key: self.key.clone(),
            resource: self.label.clone(),
            severity,
            reason: format!("{message}: {}", text::resource(self.key, &self.label)),
            finding,
            state,
            caused_by: vec![self.id.to_owned()],
            requires_approval: acting && self.config.behavior.require_approval,
            not_before: None,
            approve_by: None,
            decided_at: self.at,
            metadata,
        });
    }

    /// Whether drifted tags are restored rather than told of. A dry run says so, and writes nothing.
    pub(super) fn remediates_tags(&self) -> bool {
        self.config.policies.auto_remediate.tag_violations
            && self.config.policies.enforcement_mode != EnforcementMode::Notify
            && self.permitted(Action::EnforcePolicy) == Action::EnforcePolicy
    }

    /// Blessed resources are never written to, except to protect them.
    fn permitted(&self, action: Action) -> Action {
        let guarded = self.blessing == Blessing::Blessed && self.config.actions.protection.respect_blessed;
        match action {
            Action::EnforcePolicy | Action::AutoTag if guarded => Action::Notify,
            other => other,
        }
    }
}

/// Whether carrying it out writes to the cloud.
pub(super) fn is_acting(action: Action) -> bool {
    match action {
        Action::Protect | Action::EnforcePolicy | Action::AutoTag => true,
        Action::Notify | Action::Alert | Action::Audit => false,
    }
}

/// How something of this severity is told, where nothing else is configured.
pub(super) fn telling(severity: Severity) -> Action {
    if severity == Severity::Critical { Action::Alert } else { Action::Notify }
}

/// The configured severity of an event; `None` when it is off.
pub(super) fn severity(setting: EventSeverity, default: Severity) -> Option<Severity> {
    match setting {
        EventSeverity::Critical => Some(Severity::Critical),
        EventSeverity::Warning => Some(Severity::Warning),
        EventSeverity::Info => Some(Severity::Info),
        EventSeverity::SeverityBased => Some(default),
        EventSeverity::Off => None,
    }
}

/// What every decision says of its cause.
pub(super) fn finding_metadata(cause: Cause, policy: Option<&str>, rule: Option<&str>) -> Metadata {
    let named = [("cause", Some(cause.as_str())), ("policy", policy), ("rule", rule)];
    named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
}

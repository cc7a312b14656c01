//! How findings are told: with which action and in which state. Pure.

use elava_schemas::config::EventSeverity;
use elava_schemas::{Action, DecisionState, Severity};

use crate::finding::Finding;

/// How the opening of a finding is told.
pub(super) fn opened(finding: &Finding) -> DecisionState {
    if finding.reopened { DecisionState::Reopened } else { DecisionState::New }
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

/// How something that follows on a finding is told to whoever was told of it. An acting decision about something that
/// is over could be carried out by mistake.
pub(super) fn telling_of(finding: &Finding) -> Action {
    if is_acting(finding.action) { Action::Notify } else { finding.action }
}

/// The same, where people may not have been told.
pub(super) fn as_told(finding: &Finding) -> Action {
    if finding.told { telling_of(finding) } else { Action::Audit }
}

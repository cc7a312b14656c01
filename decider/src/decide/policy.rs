//! What follows from a policy result. Drives the findings of violations, and no others.

use elava_schemas::config::Config;
use elava_schemas::{Action, Baseline, Decision, PolicyError, PolicyResult, Severity, Subject, Violation, blessed};

use super::case::{Blessing, Case, Context, Raise, Scan, because, finding_metadata};
use super::life::retagged;
use super::telling::{is_acting, severity};
use crate::finding::{Cause, Entry, Finding, fingerprint};

/// Policies of this package, and below it, are about orphans: told, never more.
const ORPHANS: &str = "day2.orphans";

/// What follows from a policy result, given what is kept of the findings that policy results drive for the
/// same resource: decisions, and what is kept afterwards.
///
/// A violation that is as it was says nothing. A policy that could not be evaluated resolves
/// nothing: an error is never a pass. A resource that is gone has no violations left.
#[must_use]
pub fn decide_result(result: &PolicyResult, before: &Entry, context: &Context<'_>) -> (Vec<Decision>, Entry) {
    let is_blessed = result.resource.tags.as_ref().is_some_and(blessed);
    let mut case = Case {
        label: result.resource.clone(),
        blessing: if is_blessed { Blessing::Blessed } else { Blessing::None },
        scan: result
            .scan_id
            .as_ref()
            .filter(|_| result.baseline == Baseline::No)
            .map(|id| Scan { id, resources: result.scope_resources }),
        trigger: result.trigger,
        ..Case::new(context, (result.id.as_str(), result.evaluated_at), &result.resource_key, before)
    };
    let (violations, gone): (&[Violation], bool) = match result.subject {
        Subject::Present => (&result.violations, false),
        Subject::Gone => (&[], true),
    };
    resolve_missing(&mut case, violations, &result.errors, gone);
    for violation in violations {
        violated(&mut case, violation);
    }
    retagged(&mut case, before);
    case.finish(before)
}

/// Resolves every finding whose violation the result no longer has.
fn resolve_missing(case: &mut Case, violations: &[Violation], errors: &[PolicyError], gone: bool) {
    let (kept, over): (Vec<Finding>, Vec<Finding>) =
        std::mem::take(&mut case.findings).into_iter().partition(|finding| {
            let violated = violations.iter().any(|violation| is_about(finding, violation));
            violated || (!gone && errors.iter().any(|error| covers(error, finding)))
        });
    case.findings = kept;
    for finding in over {
        let how = if gone { "Gone with its resource" } else { "Mended" };
        let message = format!("{how}: {}", finding.message);
        case.resolve(finding, message);
    }
}

fn violated(case: &mut Case, violation: &Violation) {
    let severity = severity(case.config().change_detection.alert_on.policy_violation, violation.severity);
    let action = severity.map_or(Action::Audit, |severity| action(case.config(), &violation.policy, severity));
    let is_on = severity.is_some();
    let severity = severity.unwrap_or(violation.severity);
    let print = fingerprint(case.key, Cause::Violation, Some(&violation.policy), Some(&violation.rule));
    if let Some(open) = case.position(&print).map(|index| &case.findings[index])
        && open.severity == severity
        && open.message == violation.message
    {
        return;
    }
    let mut metadata = finding_metadata(Cause::Violation, Some(&violation.policy), Some(&violation.rule));
    because(&mut metadata, &["change_detection.alert_on.policy_violation"]);
    if is_on {
        because(&mut metadata, &[&format!("policies.severity_actions.{}", severity.as_str())]);
    }
    if let Some(suggestion) = &violation.suggestion {
        metadata.insert("suggestion".to_owned(), suggestion.as_str().into());
    }
    case.raise(Raise {
        cause: Cause::Violation,
        policy: Some(&violation.policy),
        rule: Some(&violation.rule),
        severity,
        action,
        message: violation.message.clone(),
        metadata,
        origin: None,
        grace: None,
    });
}

/// What follows from a violation of this severity. A severity that the configuration leaves out
/// has its default.
fn action(config: &Config, policy: &str, severity: Severity) -> Action {
    let default = match severity {
        Severity::Critical => Action::Alert,
        Severity::Warning => Action::Notify,
        Severity::Info => Action::Audit,
    };
    let action = config.policies.severity_actions.get(&severity).copied().unwrap_or(default);
    let more_than_telling = action == Action::Alert || is_acting(action);
    if within(policy, ORPHANS) && more_than_telling { Action::Notify } else { action }
}

fn is_about(finding: &Finding, violation: &Violation) -> bool {
    finding.policy.as_deref() == Some(&violation.policy) && finding.rule.as_deref() == Some(&violation.rule)
}

/// Whether the finding's policy is one that could not be evaluated.
fn covers(error: &PolicyError, finding: &Finding) -> bool {
    finding.policy.as_deref().is_some_and(|policy| within(policy, &error.policy))
}

/// Whether a Rego package is this one, or below it; all are below the nameless one.
fn within(package: &str, parent: &str) -> bool {
    let rest = package.strip_prefix(parent);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || parent.is_empty())
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn packages_contain_packages() {
        for (package, parent, expected) in [
            ("day2.orphans", "day2.orphans", true),
            ("day2.orphans.volumes", "day2.orphans", true),
            ("day2.orphans_of_war", "day2.orphans", false),
            ("day2.tags", "day2.orphans", false),
            ("day2.tags", "", true),
        ] {
            assert_eq!(within(package, parent), expected, "{package} in {parent}");
        }
    }
}

//! What follows from a change. Drives every finding except those of violations.

use elava_schemas::config::{Config, EnforcementMode};
use elava_schemas::{Action, Baseline, Change, ChangeType, Decision, Resource, Severity, Tags, blessed, managed};
use serde_json::{Value, json};

use super::case::{Blessing, Case, Context, Metadata, Raise, Scan, because, finding_metadata};
use super::life::retagged;
use super::telling::{severity, telling};
use super::text;
use crate::finding::{Cause, Entry, Finding, Origin};

/// The tag that says that a resource is protected. Elava writes it itself.
const PROTECTED: &str = "elava:protected";

/// What follows from a change, given what is kept of the findings that changes drive for the same resource:
/// decisions, and what is kept afterwards.
#[must_use]
pub fn decide_change(change: &Change, kept: &Entry, context: &Context<'_>) -> (Vec<Decision>, Entry) {
    let either = |test: fn(&Tags) -> bool| [before(change), after(change)].into_iter().flatten().any(test);
    let resource = change.current.as_ref().or(change.previous.as_ref());
    let is_first_look = change.baseline == Baseline::Yes;
    let mut case = Case {
        label: resource.map(Resource::label).unwrap_or_default(),
        blessing: if either(blessed) { Blessing::Blessed } else { Blessing::None },
        scan: change
            .scan_id
            .as_ref()
            .filter(|_| !is_first_look)
            .map(|id| Scan { id, resources: change.scope_resources }),
        ..Case::new(context, (change.id.as_str(), change.detected_at), &change.resource_key, kept)
    };
    match (change.baseline, change.change_type) {
        (Baseline::Yes, _) => {
            case.record(Cause::Baseline, None, "First look".to_owned(), metadata(Cause::Baseline, change));
        }
        (Baseline::No, ChangeType::Appeared) => appeared(&mut case, change),
        (Baseline::No, ChangeType::Disappeared) => disappeared(&mut case, change),
        (Baseline::No, ChangeType::Modified) => modified(&mut case, change),
        (Baseline::No, ChangeType::TagDrift) => tag_drift(&mut case, change),
        (Baseline::No, ChangeType::CostIncrease) => cost_increase(&mut case, change),
    }
    if let Some(resource) = &change.current {
        protection(&mut case, resource);
    }
    retagged(&mut case, kept);
    case.finish(kept)
}

/// A resource may be back before the grace period is over; a blessed one is told of at once.
fn disappeared(case: &mut Case, change: &Change) {
    // Nothing can drift or lack tags any more; that the resource is gone is what is told.
    let others = std::mem::take(&mut case.findings);
    let (kept, over): (Vec<Finding>, Vec<Finding>) =
        others.into_iter().partition(|finding| finding.cause == Cause::Disappeared);
    case.findings = kept;
    for finding in over {
        let message = format!("Gone with its resource: {}", finding.message);
        case.resolve_as(finding, Action::Audit, message);
    }

    let alert_on = &case.config().change_detection.alert_on;
    let protected = case.blessing == Blessing::Blessed && case.config().actions.protection.respect_blessed;
    let (message, setting, severity) = if protected {
        let severity = severity(alert_on.disappeared_blessed, Severity::Critical);
        ("Blessed resource disappeared", "change_detection.alert_on.disappeared_blessed", severity)
    } else if before(change).is_some_and(managed) {
        let severity = severity(alert_on.disappeared_managed, Severity::Warning);
        ("Managed resource disappeared", "change_detection.alert_on.disappeared_managed", severity)
    } else {
        let severity = severity(alert_on.disappeared, Severity::Info);
        ("Resource disappeared", "change_detection.alert_on.disappeared", severity)
    };
    let mut metadata = metadata(Cause::Disappeared, change);
    because(&mut metadata, &[setting]);
    let Some(severity) = severity else {
        return case.record(Cause::Disappeared, None, message.to_owned(), metadata);
    };
    case.raise(Raise {
        cause: Cause::Disappeared,
        policy: None,
        rule: None,
        severity,
        action: if protected { Action::Alert } else { telling(severity) },
        message: message.to_owned(),
        metadata,
        origin: None,
        grace: (!protected).then_some(case.config().behavior.grace_period),
    });
}

fn appeared(case: &mut Case, change: &Change) {
    let earlier = case.take(Cause::Disappeared, |_| true);
    let is_back = earlier.is_some();
    if let Some(finding) = earlier {
        case.resolve(finding, "Resource is back".to_owned());
    }
    let missing = after(change).map(|tags| missing_tags(case.config(), tags)).unwrap_or_default();
    if !missing.is_empty() {
        untagged(case, change, &missing);
    } else if !is_back {
        let severity = severity(case.config().change_detection.alert_on.appeared, Severity::Info);
        let mut metadata = metadata(Cause::Appeared, change);
        because(&mut metadata, &["change_detection.alert_on.appeared"]);
        case.record(Cause::Appeared, severity, "Resource appeared".to_owned(), metadata);
    }
}

/// A new resource that lacks required tags. Tags that could not be read are unknown, not missing.
fn untagged(case: &mut Case, change: &Change, missing: &[&str]) {
    let message = format!("New resource lacks required tags ({})", missing.join(", "));
    let mut metadata = metadata(Cause::NewUntagged, change);
    metadata.insert("missing_tags".to_owned(), json!(missing));
    because(
        &mut metadata,
        &[
            "change_detection.alert_on.new_untagged",
            "actions.tagging.required_tags",
            "actions.tagging.auto_tag_untagged",
        ],
    );
    let Some(severity) = severity(case.config().change_detection.alert_on.new_untagged, Severity::Info) else {
        return case.record(Cause::NewUntagged, None, message, metadata);
    };
    let auto_tag = case.config().actions.tagging.auto_tag_untagged;
    case.raise(Raise {
        cause: Cause::NewUntagged,
        policy: None,
        rule: None,
        severity,
        action: if auto_tag { Action::AutoTag } else { telling(severity) },
        message,
        metadata,
        origin: None,
        grace: None,
    });
}

fn modified(case: &mut Case, change: &Change) {
    // A lower cost has no change of its own: it comes with the modification that made it.
    let cost = change.current.as_ref().and_then(|resource| resource.monthly_cost_usd);
    let is_over = |finding: &Finding| match (&finding.origin, cost) {
        (Some(Origin::MonthlyCostUsd(before)), Some(now)) => now <= *before,
        _ => false,
    };
    if let Some(finding) = case.take(Cause::CostIncrease, is_over) {
        let message = format!("Estimated cost is down again to {} a month", text::dollars(cost));
        case.resolve(finding, message);
    }
    let severity = severity(case.config().change_detection.alert_on.modified, Severity::Info);
    let mut metadata = metadata(Cause::Modified, change);
    because(&mut metadata, &["change_detection.alert_on.modified"]);
    case.record(Cause::Modified, severity, "Resource modified".to_owned(), metadata);
}

fn tag_drift(case: &mut Case, change: &Change) {
    let metadata = metadata(Cause::TagDrift, change);
    let (Some(previous), Some(current)) = (before(change), after(change)) else {
        return case.record(Cause::TagDrift, None, "Tags changed".to_owned(), metadata);
    };
    let (missing_before, missing) = (missing_tags(case.config(), previous), missing_tags(case.config(), current));
    if case.findings.iter().any(|finding| finding.cause == Cause::NewUntagged) {
        if let Some(finding) = case.take(Cause::NewUntagged, |_| missing.is_empty()) {
            case.resolve(finding, "All required tags are there".to_owned());
        } else if missing != missing_before {
            untagged(case, change, &missing);
        }
        // Adding the tags that were asked for is no drift.
        let is_mend = |name: &String| missing_before.contains(&name.as_str());
        if differing(previous, current).all(is_mend) {
            return case.record(Cause::TagDrift, None, "Required tags added".to_owned(), metadata);
        }
    }
    if differing(previous, current).all(|name| name == PROTECTED) {
        return case.record(Cause::TagDrift, None, "Protection tag changed".to_owned(), metadata);
    }
    let restored = |finding: &Finding| matches!(&finding.origin, Some(Origin::Tags(tags)) if tags == current);
    if let Some(finding) = case.take(Cause::TagDrift, restored) {
        return case.resolve(finding, "Tags are again as they were".to_owned());
    }
    drifted(case, previous, current, metadata);
}

fn drifted(case: &mut Case, previous: &Tags, current: &Tags, mut metadata: Metadata) {
    let message = format!("Tags drifted ({})", text::tag_changes(previous, current));
    // What to restore is what was there before the first drift, not before the last.
    let open = case.findings.iter().find(|finding| finding.cause == Cause::TagDrift);
    let original = match open.and_then(|finding| finding.origin.clone()) {
        Some(Origin::Tags(tags)) => tags,
        _ => previous.clone(),
    };
    metadata.insert("previous_tags".to_owned(), json!(original));
    metadata.insert("current_tags".to_owned(), json!(current));
    because(
        &mut metadata,
        &["change_detection.alert_on.tag_drift", "policies.auto_remediate.tag_violations", "policies.enforcement_mode"],
    );
    let Some(severity) = severity(case.config().change_detection.alert_on.tag_drift, Severity::Warning) else {
        return case.record(Cause::TagDrift, None, message, metadata);
    };
    let action = if case.remediates_tags() { Action::EnforcePolicy } else { telling(severity) };
    if action == Action::EnforcePolicy {
        metadata.insert("action".to_owned(), "restore_tags".into());
    }
    case.raise(Raise {
        cause: Cause::TagDrift,
        policy: None,
        rule: None,
        severity,
        action,
        message,
        metadata,
        origin: Some(Origin::Tags(original)),
        grace: None,
    });
}

fn cost_increase(case: &mut Case, change: &Change) {
    let cost = |resource: &Option<Resource>| resource.as_ref().and_then(|resource| resource.monthly_cost_usd);
    let (before, after) = (cost(&change.previous), cost(&change.current));
    let message = format!("Estimated cost rose from {} to {} a month", text::dollars(before), text::dollars(after));
    let mut metadata = metadata(Cause::CostIncrease, change);
    metadata.insert("monthly_cost_usd_before".to_owned(), json!(before));
    metadata.insert("monthly_cost_usd_after".to_owned(), json!(after));
    because(&mut metadata, &["change_detection.alert_on.cost_increase"]);
    let Some(severity) = severity(case.config().change_detection.alert_on.cost_increase, Severity::Warning) else {
        return case.record(Cause::CostIncrease, None, message, metadata);
    };
    case.raise(Raise {
        cause: Cause::CostIncrease,
        policy: None,
        rule: None,
        severity,
        action: telling(severity),
        message,
        metadata,
        origin: before.map(Origin::MonthlyCostUsd),
        grace: None,
    });
}

/// Asks for protection of a production resource that has none, where anything may be written at all.
fn protection(case: &mut Case, resource: &Resource) {
    let policies = &case.config().policies;
    let is_asked = case.config().actions.protection.auto_protect_prod
        && policies.enforcement_mode != EnforcementMode::Notify
        && is_production(resource, &policies.environment_tags);
    if !is_asked || !is_unprotected(resource) {
        if let Some(finding) = case.take(Cause::Unprotected, |_| true) {
            case.resolve(finding, "Protected, or no longer production".to_owned());
        }
        return;
    }
    if case.findings.iter().any(|finding| finding.cause == Cause::Unprotected) {
        return;
    }
    let mut metadata = finding_metadata(Cause::Unprotected, None, None);
    because(&mut metadata, &["actions.protection.auto_protect_prod", "policies.enforcement_mode"]);
    case.raise(Raise {
        cause: Cause::Unprotected,
        policy: None,
        rule: None,
        severity: Severity::Warning,
        action: Action::Protect,
        message: "Production resource is not protected against deletion".to_owned(),
        metadata,
        origin: None,
        grace: None,
    });
}

fn is_production(resource: &Resource, environment_tags: &[String]) -> bool {
    let tags = resource.tags.as_ref();
    let environment = environment_tags.iter().find_map(|name| tags?.get(name));
    environment.is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "production" | "prod"))
}

/// What of the protection can be seen: whether an instance can be terminated is not in its description, so its tag is
/// looked at.
fn is_unprotected(resource: &Resource) -> bool {
    match resource.key.kind.as_str() {
        "rds:db" | "rds:cluster" => resource.attributes.get("DeletionProtection") == Some(&Value::Bool(false)),
        "ec2:instance" => resource.tags.as_ref().is_some_and(|tags| !tags.contains_key(PROTECTED)),
        _ => false,
    }
}

/// The tags before, where they are known.
fn before(change: &Change) -> Option<&Tags> {
    change.previous.as_ref().and_then(|resource| resource.tags.as_ref())
}

/// The tags after, where they are known.
fn after(change: &Change) -> Option<&Tags> {
    change.current.as_ref().and_then(|resource| resource.tags.as_ref())
}

fn missing_tags<'a>(config: &'a Config, tags: &Tags) -> Vec<&'a str> {
    let required = config.actions.tagging.required_tags.iter();
    required.map(String::as_str).filter(|name| !tags.contains_key(*name)).collect()
}

/// The names of tags that are not the same in both.
fn differing<'a>(before: &'a Tags, after: &'a Tags) -> impl Iterator<Item = &'a String> {
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    gone.chain(after.iter().filter(|(name, value)| before.get(*name) != Some(value)).map(|(name, _)| name))
}

fn metadata(cause: Cause, change: &Change) -> Metadata {
    let mut metadata = finding_metadata(cause, None, None);
    if !change.details.is_empty() {
        metadata.insert("details".to_owned(), change.details.as_str().into());
    }
    if let Some(actor) = &change.cause {
        metadata.insert("principal".to_owned(), actor.principal.as_str().into());
    }
    metadata
}

//! What follows from the time alone, and from exceptions that come and go: the life of open findings.

use elava_schemas::{Action, Decision, DecisionState, IdHasher, Severity, Timestamp, blessed};
use serde_json::json;

use super::case::{Blessing, Case, Context, Metadata, again, delta};
use super::past::quiet_again;
use super::telling::{as_told, opened};
use crate::finding::{About, Entry, Finding, Past, Quiet};

/// When something follows from the time, for an entry. What waits for more of a scan is not meant.
#[must_use]
pub fn due(entry: &Entry, context: &Context<'_>) -> Option<Timestamp> {
    let within = delta(context.config.behavior.flapping.within);
    let of_finding = |finding: &Finding| {
        let quiet = match &finding.quiet {
            Some(Quiet::Grace { until }) => Some(*until),
            Some(Quiet::Suppressed { until, warn_at, .. }) => Some(warn_at.unwrap_or(*until).min(*until)),
            Some(Quiet::Settling { .. } | Quiet::Held { .. } | Quiet::Denied { .. } | Quiet::Flapping) | None => None,
        };
        [quiet, finding.remind_at, finding.expires_at].into_iter().flatten().min()
    };
    let of_past = |past: &Past| past.transitions.last().map(|last| *last + within);
    entry.findings.iter().filter_map(of_finding).chain(entry.past.iter().filter_map(of_past)).min()
}

/// What follows from the time, and from the exceptions as they are now: decisions, and what is kept afterwards.
///
/// What was kept by an older version, without what it is about, stays as it is.
#[must_use]
pub fn pass_time(entry: Entry, context: &Context<'_>) -> (Vec<Decision>, Entry) {
    let Some(About { key, label }) = entry.about.clone() else { return (Vec::new(), entry) };
    let mut case = of(&key, label, &entry, context);
    for mut finding in std::mem::take(&mut case.findings) {
        if live(&mut case, &mut finding) {
            case.findings.push(finding);
        }
    }
    quiet_again(&mut case);
    case.finish(&entry)
}

/// Decides something about one finding of an entry.
pub(crate) fn about(
    entry: Entry,
    context: &Context<'_>,
    is_meant: impl Fn(&Finding) -> bool,
    what: &What,
) -> (Vec<Decision>, Entry) {
    let Some(About { key, label }) = entry.about.clone() else { return (Vec::new(), entry) };
    let mut case = of(&key, label, &entry, context);
    for mut finding in std::mem::take(&mut case.findings) {
        let is_meant = is_meant(&finding);
        case.at = context.now;
        match what {
            What::Tell(note) if is_meant => {
                finding.released |= matches!(finding.quiet, Some(Quiet::Held { .. }));
                let state = opened(&finding);
                case.tell_as(&mut finding, state, note.clone());
            }
            What::GoOn(note) if is_meant => go_on(&mut case, &mut finding, note),
            What::Hold(quiet) if is_meant => case.hush(&mut finding, quiet.clone()),
            What::End(message) if is_meant => {
                case.resolve(finding, message.clone());
                continue;
            }
            What::Tell(_) | What::GoOn(_) | What::Hold(_) | What::End(_) => {}
        }
        case.findings.push(finding);
    }
    case.finish(&entry)
}

/// What is decided about findings from outside of their own entry.
pub(crate) enum What {
    /// People are told, with this in the metadata.
    Tell(Metadata),
    /// Nothing is in the way any more: people are told, with this in the metadata, when its grace period is over.
    GoOn(Metadata),
    /// They are not, because of this.
    Hold(Quiet),
    /// It is over, because of this.
    End(String),
}

/// What has waited for a breaker, or was held by it, is told; or may still be over by itself.
fn go_on(case: &mut Case, finding: &mut Finding, note: &Metadata) {
    let was_held = matches!(finding.quiet, Some(Quiet::Held { .. }));
    finding.released |= was_held;
    match finding.grace_until.filter(|_| !finding.told) {
        // that it has opened was recorded when it was held
        Some(until) if was_held => finding.quiet = Some(Quiet::Grace { until }),
        Some(until) => case.hush(finding, Quiet::Grace { until }),
        None => {
            let state = opened(finding);
            case.tell_as(finding, state, note.clone());
        }
    }
}

fn of<'a>(
    key: &'a elava_schemas::ResourceKey,
    label: elava_schemas::ResourceLabel,
    entry: &Entry,
    context: &'a Context<'a>,
) -> Case<'a> {
    let is_blessed = label.tags.as_ref().is_some_and(blessed);
    let blessing = if is_blessed { Blessing::Blessed } else { Blessing::None };
    Case { label, blessing, ..Case::new(context, ("", context.now), key, entry) }
}

/// One finding at this moment; whether it is still one.
fn live(case: &mut Case, finding: &mut Finding) -> bool {
    let now = case.context.now;
    case.at = now;
    review(case, finding);
    if let Some(Quiet::Grace { until }) = finding.quiet
        && until <= now
    {
        case.tell(finding);
    }
    if let Some(at) = finding.remind_at.filter(|at| *at <= now) {
        case.at = at;
        finding.reminders += 1;
        let note = Metadata::from_iter([
            ("reminder".to_owned(), finding.reminders.into()),
            ("opened_at".to_owned(), json!(finding.opened_at)),
        ]);
        case.decide(finding, DecisionState::Reminder, finding.action, note);
        case.remind(finding);
    }
    if let Some(at) = finding.expires_at.filter(|at| *at <= now) {
        case.at = at;
        case.decide(finding, DecisionState::Expired, as_told(finding), Metadata::new());
        return false;
    }
    true
}

/// Tags are what exceptions may go by: where they differ, every finding of the resource is looked at.
pub(super) fn retagged(case: &mut Case, before: &Entry) {
    let known = before.about.as_ref().and_then(|about| about.label.tags.as_ref());
    if case.label.tags.is_none() || known == case.label.tags.as_ref() {
        return;
    }
    for mut finding in std::mem::take(&mut case.findings) {
        review(case, &mut finding);
        case.findings.push(finding);
    }
}

/// An exception begins or ends to cover a finding, or is about to end.
fn review(case: &mut Case, finding: &mut Finding) {
    let now = case.context.now;
    let excuse = case.excused(finding);
    let Some(Quiet::Suppressed { exception, until, warn_at }) = finding.quiet.clone() else {
        if let Some(quiet) = excuse {
            case.hush(finding, quiet);
        }
        return;
    };
    match excuse {
        Some(Quiet::Suppressed { exception: same, until: end, warn_at: next }) if same == exception => {
            if warn_at.is_some_and(|at| at <= now) {
                warn(case, finding, &exception, end);
            }
            let warn_at = if until == end { warn_at.filter(|at| *at > now) } else { next };
            finding.quiet = Some(Quiet::Suppressed { exception, until: end, warn_at });
        }
        Some(other) => case.hush(finding, other),
        None => {
            let mut note = Metadata::from_iter([("exception_ended".to_owned(), exception.into())]);
            note.extend(again(finding));
            case.tell_as(finding, DecisionState::Reopened, note);
        }
    }
}

/// Tells that an exception is about to end.
fn warn(case: &mut Case, finding: &Finding, exception: &str, until: Timestamp) {
    let action = if finding.action == Action::Audit { Action::Audit } else { Action::Notify };
    let cause = IdHasher::new("exception").part(exception).part(until.to_rfc3339()).hex();
    let message = format!("The exception {exception} ends on {}: {}", until.format("%Y-%m-%d"), finding.message);
    let mut metadata = finding.metadata.clone();
    metadata.insert("exception".to_owned(), exception.into());
    let what = (finding.fingerprint.clone(), DecisionState::Reminder, action);
    case.push(what, &cause, Severity::Info, &message, metadata);
}

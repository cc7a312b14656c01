//! One scan, or an account, would open more findings than can be true: one alert for all of them.

use elava_schemas::{Action, Decision, DecisionId, DecisionState, ResourceKey, ScanId, Severity};
use serde_json::{Value, json};

use super::case::{Case, Context, LAST_OVER, Metadata, Raise};
use super::telling::opened;
use crate::account::{SORT, is_copy};
use crate::finding::{Cause, Entry, Finding, fingerprint};

/// Of an alarm that another partition has: after so many reminders nobody answers any more. Three months, by the hour.
const REMINDERS_AT_MOST: u32 = 2200;

/// What is too much.
pub(crate) enum Tripped<'a> {
    /// What one scan shows.
    Scan {
        /// Stands for all resources of the scope.
        key: &'a ResourceKey,
        scan: &'a ScanId,
        /// Sorts of findings, and how many of each.
        sorts: &'a [(String, usize)],
        /// How many resources the scope had.
        resources: Option<u64>,
    },
    /// What several scans show of an account.
    Account {
        /// Stands for all resources of the account.
        key: &'a ResourceKey,
        /// The scan that makes it too much.
        scan: &'a ScanId,
        /// The sort of findings, and how many.
        sort: &'a str,
        count: usize,
    },
}

impl Tripped<'_> {
    /// What makes it one of its own.
    pub(crate) fn rule(&self) -> String {
        match self {
            Self::Scan { scan, .. } => scan.as_str().to_owned(),
            Self::Account { scan, sort, .. } => format!("{sort} {}", scan.as_str()),
        }
    }
}

/// Tells of what is held back. Whatever the stream it was seen in: the same scan leads to the same decision.
pub(crate) fn trip(tripped: &Tripped<'_>, before: &Entry, context: &Context<'_>) -> (Vec<Decision>, Entry) {
    let (Tripped::Scan { key, scan, .. } | Tripped::Account { key, scan, .. }) = *tripped;
    let mut case = Case::new(context, (scan.as_str(), context.now), key, before);
    let mut metadata = Metadata::from_iter([
        ("cause".to_owned(), Cause::Breaker.as_str().into()),
        ("breaker".to_owned(), true.into()),
        ("scan_id".to_owned(), scan.as_str().into()),
        ("suggestion".to_owned(), "Look at the account; `elava release` tells of each finding.".into()),
    ]);
    let rule = tripped.rule();
    let alarm = fingerprint(key, Cause::Breaker, None, Some(&rule));
    let over = before.past.iter().find(|past| past.fingerprint == alarm).and_then(|past| past.transitions.last());
    metadata.extend(over.map(|over| (LAST_OVER.to_owned(), json!(over))));
    let message = match *tripped {
        Tripped::Scan { sorts, resources, .. } => {
            metadata.extend(resources.map(|resources| ("scope_resources".to_owned(), json!(resources))));
            let found: Vec<String> = sorts.iter().map(|(sort, count)| format!("{count} × {sort}")).collect();
            format!("One scan shows more than can be true; held back until somebody releases it: {}", found.join(", "))
        }
        Tripped::Account { sort, count, .. } => {
            metadata.insert(SORT.to_owned(), sort.into());
            format!("An account shows more than can be true; held back until somebody releases it: {count} × {sort}")
        }
    };
    case.raise(Raise {
        cause: Cause::Breaker,
        policy: None,
        rule: Some(&rule),
        severity: Severity::Critical,
        action: Action::Alert,
        message,
        metadata,
        origin: None,
        grace: None,
    });
    case.finish(before)
}

/// The decisions by which a breaker's finding was told: approving any of them releases what it holds.
pub(crate) fn told(finding: &Finding) -> impl Iterator<Item = DecisionId> {
    let last_over = finding.metadata.get(LAST_OVER).map(Value::to_string);
    let id = move |state: DecisionState, parts: &[&str]| {
        let first = [finding.fingerprint.as_str(), state.as_str(), Action::Alert.as_str(), finding.caused_by.as_str()];
        let last = last_over.as_deref();
        DecisionId::of(&first.iter().chain(parts).copied().chain(last).collect::<Vec<_>>())
    };
    // of the reminders of an alarm that is elsewhere nothing is known here
    let reminders = if is_copy(finding) { REMINDERS_AT_MOST } else { finding.reminders };
    let first = id(opened(finding), &[]);
    std::iter::once(first).chain((1..=reminders).map(move |number| id(DecisionState::Reminder, &[&number.to_string()])))
}

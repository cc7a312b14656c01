//! One scan would open more findings than can be true: one alert for all of them.

use std::fmt::Write as _;

use elava_schemas::{Action, Decision, DecisionId, DecisionState, ResourceKey, ScanId, Severity};
use serde_json::json;

use super::case::{Case, Context, Metadata, Raise};
use crate::finding::{Cause, Entry, Finding};

/// What is too much.
pub(crate) struct Tripped<'a> {
    /// Stands for all resources of the scope.
    pub(crate) key: &'a ResourceKey,
    pub(crate) scan: &'a ScanId,
    /// Sorts of findings, and how many of each.
    pub(crate) sorts: &'a [(String, usize)],
    /// How many resources the scope had.
    pub(crate) resources: Option<u64>,
}

/// Tells of what is held back. Whatever the stream it was seen in: the same scan leads to the same decision.
pub(crate) fn trip(tripped: &Tripped<'_>, before: &Entry, context: &Context<'_>) -> (Vec<Decision>, Entry) {
    let Tripped { key, scan, sorts, resources } = *tripped;
    let mut case = Case::new(context, (scan.as_str(), context.now), key, before);
    let mut message = "One scan shows more than can be true; held back until somebody releases it: ".to_owned();
    for (number, (sort, count)) in sorts.iter().enumerate() {
        let comma = if number > 0 { ", " } else { "" };
        write!(message, "{comma}{count} × {sort}").expect("writing to a String does not fail");
    }
    let mut metadata = Metadata::from_iter([
        ("cause".to_owned(), Cause::Breaker.as_str().into()),
        ("breaker".to_owned(), true.into()),
        ("scan_id".to_owned(), scan.as_str().into()),
        ("suggestion".to_owned(), "Look at the account; `elava release` tells of each finding.".into()),
    ]);
    if let Some(resources) = resources {
        metadata.insert("scope_resources".to_owned(), json!(resources));
    }
    case.raise(Raise {
        cause: Cause::Breaker,
        policy: None,
        rule: Some(scan.as_str()),
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
    let id = |state: DecisionState, parts: &[&str]| {
        let first = [finding.fingerprint.as_str(), state.as_str(), Action::Alert.as_str(), finding.caused_by.as_str()];
        DecisionId::of(&[&first, parts].concat())
    };
    let reminders = (1..=finding.reminders).map(move |number| id(DecisionState::Reminder, &[&number.to_string()]));
    std::iter::once(id(DecisionState::New, &[])).chain(reminders)
}

//! The statement of each question, and its parameters.

use duckdb::types::Value as Parameter;
use elava_schemas::Timestamp;
use serde::Serialize;

use super::{CostBy, Query, ScopeFilter};

/// Rows where no limit is given.
const LIMIT: u32 = 1000;

impl Query {
    /// The statement, and its parameters in the order of their numbers.
    pub(super) fn statement(&self) -> (&'static str, Vec<Parameter>) {
        match self {
            Self::Resources { at, scope, tags, limit } => {
                let tags = if tags.is_empty() { Parameter::Null } else { json(tags) };
                let rest = [tags, number(limit.unwrap_or(LIMIT))];
                (include_str!("../store/queries/resources.sql"), scope.between([latest(*at)], rest))
            }
            Self::History { key } => (include_str!("../store/queries/history.sql"), vec![text(key)]),
            Self::Changes { since, until, scope, types, limit, baseline } => {
                let types = if types.is_empty() { Parameter::Null } else { json(types) };
                let rest = [types, Parameter::Boolean(*baseline), number(limit.unwrap_or(LIMIT))];
                let times = [instant(since.unwrap_or_default()), latest(*until)];
                (include_str!("../store/queries/changes.sql"), scope.between(times, rest))
            }
            Self::ChangesOverTime { since, step_seconds, scope } => {
                let before = [instant(*since), number((*step_seconds).max(1))];
                (include_str!("../store/queries/changes_over_time.sql"), scope.between(before, []))
            }
            Self::Diff { from, to, scope } => {
                (include_str!("../store/queries/diff.sql"), scope.between([instant(*from), latest(*to)], []))
            }
            Self::Violations { at, scope, severity } => {
                let severity = [optional(severity.as_deref())];
                (include_str!("../store/queries/violations.sql"), scope.between([latest(*at)], severity))
            }
            Self::ViolationsOverTime { since, step_seconds, scope } => {
                let before = [instant(*since), number((*step_seconds).max(1))];
                (include_str!("../store/queries/violations_over_time.sql"), scope.between(before, []))
            }
            Self::Audit { key } => (include_str!("../store/queries/audit.sql"), vec![text(key)]),
            Self::Explain { id } => (include_str!("../store/queries/explain.sql"), vec![text(id)]),
            Self::Cost { at, by, scope } => {
                let [what, tag] = by.parameters();
                (include_str!("../store/queries/cost.sql"), scope.between([latest(*at), what, tag], []))
            }
            Self::CostOverTime { since, step_seconds, by, scope } => {
                let step = text(&format!("{}s", (*step_seconds).clamp(1, 9_999_999)));
                let [what, tag] = by.parameters();
                let before = [instant(*since), step, what, tag];
                (include_str!("../store/queries/cost_over_time.sql"), scope.between(before, []))
            }
            Self::Flapping { since, at_least, scope } => {
                let before = [instant(*since), number(*at_least)];
                (include_str!("../store/queries/flapping.sql"), scope.between(before, []))
            }
            Self::Exceptions {} => (include_str!("../store/queries/exceptions.sql"), Vec::new()),
            Self::Orphans { scope } => (include_str!("../store/queries/orphans.sql"), scope.between([], [])),
            Self::Approvals { scope } => (include_str!("../store/queries/approvals.sql"), scope.between([], [])),
            Self::Decisions { id } => (include_str!("../store/queries/decisions.sql"), vec![text(id)]),
            Self::Coverage { scope, unseen_since } => {
                let unseen = unseen_since.map_or(Parameter::Null, instant);
                (include_str!("../store/queries/coverage.sql"), scope.between([], [unseen]))
            }
            Self::Replay { since, until, scope, part, parts } => {
                let times = [instant(*since), latest(*until)];
                let statement = include_str!("../store/queries/replay.sql");
                (statement, scope.between(times, [number(*part), number((*parts).max(1))]))
            }
            Self::ReplaySize { since, until, scope } => {
                let times = [instant(*since), latest(*until)];
                (include_str!("../store/queries/replay_size.sql"), scope.between(times, []))
            }
            Self::Summary {} => (include_str!("../store/queries/summary.sql"), Vec::new()),
            Self::Storage {} => (include_str!("../store/queries/storage.sql"), Vec::new()),
        }
    }
}

impl ScopeFilter {
    /// Its three parameters between others.
    fn between<const BEFORE: usize, const AFTER: usize>(
        &self,
        before: [Parameter; BEFORE],
        after: [Parameter; AFTER],
    ) -> Vec<Parameter> {
        let patterns = [&self.account, &self.region, &self.kind].map(|pattern| optional(pattern.as_deref()));
        before.into_iter().chain(patterns).chain(after).collect()
    }
}

impl CostBy {
    fn parameters(&self) -> [Parameter; 2] {
        let by = |name| [text(name), Parameter::Null];
        match self {
            Self::Provider => by("provider"),
            Self::Account => by("account"),
            Self::Region => by("region"),
            Self::Type => by("type"),
            Self::Tag(key) => [text("tag"), text(key)],
        }
    }
}

fn text(text: &str) -> Parameter {
    Parameter::Text(text.to_owned())
}

fn optional(value: Option<&str>) -> Parameter {
    value.map_or(Parameter::Null, text)
}

fn number(number: u32) -> Parameter {
    Parameter::UInt(number)
}

fn json<T: Serialize>(value: &T) -> Parameter {
    Parameter::Text(serde_json::to_string(value).expect("strings serialise"))
}

/// As the macro `instant` reads it.
fn instant(at: Timestamp) -> Parameter {
    Parameter::Text(at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
}

/// A time; where there is none, one after everything: the stream's clock may be ahead of ours.
fn latest(at: Option<Timestamp>) -> Parameter {
    at.map_or_else(|| text("9999-12-31T00:00:00Z"), instant)
}

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
                let mut parameters = vec![latest(*at)];
                parameters.extend(scope.parameters());
                parameters.push(if tags.is_empty() { Parameter::Null } else { json(tags) });
                parameters.push(number(limit.unwrap_or(LIMIT)));
                (include_str!("../store/queries/resources.sql"), parameters)
            }
            Self::History { key } => (include_str!("../store/queries/history.sql"), vec![text(key)]),
            Self::Changes { since, until, scope, types, limit, baseline } => {
                let mut parameters = vec![instant(since.unwrap_or_default()), latest(*until)];
                parameters.extend(scope.parameters());
                parameters.push(if types.is_empty() { Parameter::Null } else { json(types) });
                parameters.extend([Parameter::Boolean(*baseline), number(limit.unwrap_or(LIMIT))]);
                (include_str!("../store/queries/changes.sql"), parameters)
            }
            Self::Diff { from, to, scope } => {
                let parameters = [instant(*from), latest(*to)].into_iter().chain(scope.parameters());
                (include_str!("../store/queries/diff.sql"), parameters.collect())
            }
            Self::Violations { at, scope, severity } => {
                let mut parameters = vec![latest(*at)];
                parameters.extend(scope.parameters());
                parameters.push(optional(severity.as_deref()));
                (include_str!("../store/queries/violations.sql"), parameters)
            }
            Self::Audit { key } => (include_str!("../store/queries/audit.sql"), vec![text(key)]),
            Self::Cost { at, by, scope } => {
                let parameters = [latest(*at)].into_iter().chain(by.parameters()).chain(scope.parameters());
                (include_str!("../store/queries/cost.sql"), parameters.collect())
            }
            Self::CostOverTime { since, step_seconds, by, scope } => {
                let step = text(&format!("{}s", (*step_seconds).max(1)));
                let parameters = [instant(*since), step].into_iter().chain(by.parameters()).chain(scope.parameters());
                (include_str!("../store/queries/cost_over_time.sql"), parameters.collect())
            }
            Self::Flapping { since, at_least, scope } => {
                let parameters = [instant(*since), number(*at_least)].into_iter().chain(scope.parameters());
                (include_str!("../store/queries/flapping.sql"), parameters.collect())
            }
            Self::Orphans { scope } => (include_str!("../store/queries/orphans.sql"), scope.parameters().into()),
            Self::Coverage { scope, unseen_since } => {
                let unseen = unseen_since.map_or(Parameter::Null, instant);
                let parameters = scope.parameters().into_iter().chain([unseen]);
                (include_str!("../store/queries/coverage.sql"), parameters.collect())
            }
            Self::Summary {} => (include_str!("../store/queries/summary.sql"), Vec::new()),
        }
    }
}

impl ScopeFilter {
    fn parameters(&self) -> [Parameter; 3] {
        [&self.account, &self.region, &self.kind].map(|pattern| optional(pattern.as_deref()))
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

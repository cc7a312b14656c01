//! Questions to the history, each with a name: the same for the running detector, over NATS, and
//! for `elava` on a file that nobody writes.

use std::collections::BTreeMap;

use duckdb::types::Value as Parameter;
use elava_schemas::{ChangeType, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::store::{History, HistoryError, Tried};

/// A question. Times that are absent mean now, or the beginning.
///
/// In JSON: `{"query":"changes","since":"2026-01-01T00:00:00Z","limit":100}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "query", rename_all = "snake_case", deny_unknown_fields)]
pub enum Query {
    /// Resources that exist, or existed.
    Resources {
        /// When.
        #[serde(default)]
        at: Option<Timestamp>,
        /// Where.
        #[serde(default)]
        scope: ScopeFilter,
        /// With these tags; a key without a value means any.
        #[serde(default)]
        tags: BTreeMap<String, Option<String>>,
        /// At most so many; 1,000 when absent.
        #[serde(default)]
        limit: Option<u32>,
    },
    /// Every version of one resource, oldest first.
    History {
        /// Its key, or its bare id.
        key: String,
    },
    /// Changes, newest first.
    Changes {
        /// Only from then on.
        #[serde(default)]
        since: Option<Timestamp>,
        /// Only before then.
        #[serde(default)]
        until: Option<Timestamp>,
        /// Where.
        #[serde(default)]
        scope: ScopeFilter,
        /// Only these sorts; all when empty.
        #[serde(default)]
        types: Vec<ChangeType>,
        /// At most so many; 1,000 when absent.
        #[serde(default)]
        limit: Option<u32>,
        /// Whether the first look at each scope is told too.
        #[serde(default)]
        baseline: bool,
    },
    /// What differs between two times.
    Diff {
        /// The earlier time.
        from: Timestamp,
        /// The later one.
        #[serde(default)]
        to: Option<Timestamp>,
        /// Where.
        #[serde(default)]
        scope: ScopeFilter,
    },
    /// Open violations, worst first.
    Violations {
        /// When they were open.
        #[serde(default)]
        at: Option<Timestamp>,
        /// Where.
        #[serde(default)]
        scope: ScopeFilter,
        /// Only of this severity.
        #[serde(default)]
        severity: Option<String>,
    },
    /// All that is known of one resource, in order.
    Audit {
        /// Its key, or its bare id.
        key: String,
    },
    /// Estimated monthly cost, most expensive first.
    Cost {
        /// When.
        #[serde(default)]
        at: Option<Timestamp>,
        /// What is summed by.
        #[serde(default)]
        by: CostBy,
        /// Where.
        #[serde(default)]
        scope: ScopeFilter,
    },
    /// Estimated monthly cost at several moments until now.
    CostOverTime {
        /// The first moment.
        since: Timestamp,
        /// Seconds from one to the next.
        step_seconds: u32,
        /// What is summed by.
        #[serde(default)]
        by: CostBy,
        /// Where.
        #[serde(default)]
        scope: ScopeFilter,
    },
    /// Resources that change again and again.
    Flapping {
        /// Only changes from then on.
        since: Timestamp,
        /// How many changes make one.
        at_least: u32,
        /// Where.
        #[serde(default)]
        scope: ScopeFilter,
    },
    /// Resources that nobody uses or owns.
    Orphans {
        /// Where.
        #[serde(default)]
        scope: ScopeFilter,
    },
    /// Per scope: when it was last seen whole.
    Coverage {
        /// Where.
        #[serde(default)]
        scope: ScopeFilter,
        /// Only scopes that have not been seen whole since then.
        #[serde(default)]
        unseen_since: Option<Timestamp>,
    },
    /// Counts: rows of `measure`, `name`, `value`.
    Summary {},
}

/// Narrows a question. `*` is any text, `?` any character; what is absent narrows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeFilter {
    /// Accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Resource types.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// What costs are summed by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostBy {
    /// The provider.
    Provider,
    /// The account.
    Account,
    /// The region.
    Region,
    /// The resource type.
    #[default]
    Type,
    /// The value of this tag.
    Tag(String),
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// It is not a question.
    #[error(
        "not a query; known: resources, history, changes, diff, violations, audit, cost, cost_over_time, flapping, orphans, coverage, summary"
    )]
    Parse(#[source] serde_json::Error),
    /// The history failed.
    #[error("cannot ask the history")]
    History(#[source] HistoryError),
    /// A row is not JSON.
    #[error("the history gave a row that is not JSON")]
    Row(#[source] serde_json::Error),
}

const LIMIT: u32 = 1000;

impl Query {
    /// Reads a question.
    pub fn parse(body: &[u8]) -> Result<Self, QueryError> {
        serde_json::from_slice(body).map_err(QueryError::Parse)
    }

    /// The statement, and its parameters in the order of their numbers.
    fn statement(&self) -> (&'static str, Vec<Parameter>) {
        match self {
            Self::Resources { at, scope, tags, limit } => {
                let mut parameters = vec![latest(*at)];
                parameters.extend(scope.parameters());
                parameters.push(if tags.is_empty() { Parameter::Null } else { json(tags) });
                parameters.push(number(limit.unwrap_or(LIMIT)));
                (include_str!("store/queries/resources.sql"), parameters)
            }
            Self::History { key } => (include_str!("store/queries/history.sql"), vec![text(key)]),
            Self::Changes { since, until, scope, types, limit, baseline } => {
                let mut parameters = vec![instant(since.unwrap_or_default()), latest(*until)];
                parameters.extend(scope.parameters());
                parameters.push(if types.is_empty() { Parameter::Null } else { json(types) });
                parameters.extend([Parameter::Boolean(*baseline), number(limit.unwrap_or(LIMIT))]);
                (include_str!("store/queries/changes.sql"), parameters)
            }
            Self::Diff { from, to, scope } => {
                let parameters = [instant(*from), latest(*to)].into_iter().chain(scope.parameters());
                (include_str!("store/queries/diff.sql"), parameters.collect())
            }
            Self::Violations { at, scope, severity } => {
                let mut parameters = vec![latest(*at)];
                parameters.extend(scope.parameters());
                parameters.push(optional(severity.as_deref()));
                (include_str!("store/queries/violations.sql"), parameters)
            }
            Self::Audit { key } => (include_str!("store/queries/audit.sql"), vec![text(key)]),
            Self::Cost { at, by, scope } => {
                let parameters = [latest(*at)].into_iter().chain(by.parameters()).chain(scope.parameters());
                (include_str!("store/queries/cost.sql"), parameters.collect())
            }
            Self::CostOverTime { since, step_seconds, by, scope } => {
                let step = text(&format!("{}s", (*step_seconds).max(1)));
                let parameters = [instant(*since), step].into_iter().chain(by.parameters()).chain(scope.parameters());
                (include_str!("store/queries/cost_over_time.sql"), parameters.collect())
            }
            Self::Flapping { since, at_least, scope } => {
                let parameters = [instant(*since), number(*at_least)].into_iter().chain(scope.parameters());
                (include_str!("store/queries/flapping.sql"), parameters.collect())
            }
            Self::Orphans { scope } => (include_str!("store/queries/orphans.sql"), scope.parameters().into()),
            Self::Coverage { scope, unseen_since } => {
                let unseen = unseen_since.map_or(Parameter::Null, instant);
                let parameters = scope.parameters().into_iter().chain([unseen]);
                (include_str!("store/queries/coverage.sql"), parameters.collect())
            }
            Self::Summary {} => (include_str!("store/queries/summary.sql"), Vec::new()),
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

/// Answers a question with one object a row; instants are RFC 3339 texts.
pub fn run(history: &History, query: &Query) -> Result<Vec<Map<String, Value>>, QueryError> {
    let (sql, parameters) = query.statement();
    // each row as one JSON text, in the order of the columns
    let sql = format!("SELECT to_json(answer)::VARCHAR FROM ({sql}) answer");
    let rows = texts(history, &sql, &parameters).map_err(QueryError::History)?;
    rows.iter().map(|row| serde_json::from_str(row).map_err(QueryError::Row)).collect()
}

fn texts(history: &History, sql: &str, parameters: &[Parameter]) -> Result<Vec<String>, HistoryError> {
    let mut statement = history.connection().prepare(sql).tried("query")?;
    let rows = statement.query_map(duckdb::params_from_iter(parameters), |row| row.get(0)).tried("query")?;
    rows.collect::<duckdb::Result<_>>().tried("read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        for (text, expected) in [
            (
                r#"{"query":"changes","since":"2026-01-01T00:00:00Z","types":["disappeared"]}"#,
                Query::Changes {
                    since: Some(at("2026-01-01T00:00:00Z")),
                    until: None,
                    scope: ScopeFilter::default(),
                    types: vec![ChangeType::Disappeared],
                    limit: None,
                    baseline: false,
                },
            ),
            (r#"{"query":"history","key":"i-1"}"#, Query::History { key: "i-1".into() }),
            (
                r#"{"query":"cost","by":{"tag":"Team"},"scope":{"type":"ec2:*"}}"#,
                Query::Cost {
                    at: None,
                    by: CostBy::Tag("Team".into()),
                    scope: ScopeFilter { kind: Some("ec2:*".into()), ..ScopeFilter::default() },
                },
            ),
            (r#"{"query":"summary"}"#, Query::Summary {}),
        ] {
            assert_eq!(Query::parse(text.as_bytes()).expect(text), expected);
        }
        for text in ["", "{}", r#"{"query":"drop"}"#, r#"{"query":"changes","before":1}"#] {
            assert!(Query::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}

//! Questions to the history, each with a name: the same for the running detector, over NATS, and
//! for `elava` on a file that nobody writes.

use duckdb::params;
use elava_schemas::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::store::{History, HistoryError, Tried};

/// A question.
///
/// In JSON: `{"query":"changes","since":"2026-01-01T00:00:00Z","limit":100}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "query", rename_all = "snake_case", deny_unknown_fields)]
pub enum Query {
    /// Changes, newest first.
    Changes {
        /// Only from then on.
        #[serde(default)]
        since: Option<Timestamp>,
        /// At most so many; 1,000 when absent.
        #[serde(default)]
        limit: Option<u32>,
        /// Whether the first look at each scope is told too.
        #[serde(default)]
        baseline: bool,
    },
    /// Every version of one resource, oldest first.
    History {
        /// Its key, or its bare id.
        key: String,
    },
    /// Open violations, worst first.
    Violations {},
    /// Per scope: when it was last seen whole.
    Coverage {},
    /// Counts: rows of `measure`, `name`, `value`.
    Summary {},
    /// Resources that exist now.
    Resources {
        /// At most so many; 1,000 when absent.
        #[serde(default)]
        limit: Option<u32>,
    },
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// It is not a question.
    #[error("not a query; known: changes, history, violations, coverage, summary, resources")]
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
}

/// Answers a question with one object a row; instants are RFC 3339 texts.
pub fn run(history: &History, query: &Query) -> Result<Vec<Map<String, Value>>, QueryError> {
    let sql = match query {
        Query::Changes { .. } => include_str!("store/queries/changes.sql"),
        Query::History { .. } => include_str!("store/queries/history.sql"),
        Query::Violations {} => include_str!("store/queries/violations.sql"),
        Query::Coverage {} => include_str!("store/queries/coverage.sql"),
        Query::Summary {} => include_str!("store/queries/summary.sql"),
        Query::Resources { .. } => include_str!("store/queries/resources.sql"),
    };
    // each row as one JSON text, in the order of the columns
    let sql = format!("SELECT to_json(answer)::VARCHAR FROM ({sql}) answer");
    let rows = match query {
        Query::Changes { since, limit, baseline } => {
            let since = since.unwrap_or_default().timestamp_micros();
            texts(history, &sql, params![since, baseline, limit.unwrap_or(LIMIT)])
        }
        Query::History { key } => texts(history, &sql, params![key]),
        Query::Resources { limit } => texts(history, &sql, params![limit.unwrap_or(LIMIT)]),
        Query::Violations {} | Query::Coverage {} | Query::Summary {} => texts(history, &sql, []),
    };
    let rows = rows.map_err(QueryError::History)?;
    rows.iter().map(|row| serde_json::from_str(row).map_err(QueryError::Row)).collect()
}

fn texts(history: &History, sql: &str, parameters: impl duckdb::Params) -> Result<Vec<String>, HistoryError> {
    let mut statement = history.connection().prepare(sql).tried("query")?;
    let rows = statement.query_map(parameters, |row| row.get(0)).tried("query")?;
    rows.collect::<duckdb::Result<_>>().tried("read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions() {
        let since = Some("2026-01-01T00:00:00Z".parse().expect("a time"));
        for (text, expected) in [
            (
                r#"{"query":"changes","since":"2026-01-01T00:00:00Z"}"#,
                Query::Changes { since, limit: None, baseline: false },
            ),
            (r#"{"query":"history","key":"i-1"}"#, Query::History { key: "i-1".into() }),
            (r#"{"query":"summary"}"#, Query::Summary {}),
        ] {
            assert_eq!(Query::parse(text.as_bytes()).expect(text), expected);
        }
        for text in ["", "{}", r#"{"query":"drop"}"#, r#"{"query":"changes","until":1}"#] {
            assert!(Query::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}

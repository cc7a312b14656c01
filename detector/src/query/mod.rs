//! Questions to the history, each with a name: the same for the running detector, over NATS, and
//! for `elava` on a file that nobody writes.

mod statement;
mod text;

use std::collections::BTreeMap;

use duckdb::types::Value as Parameter;
use elava_schemas::{ChangeType, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use self::text::after_word;
use self::text::{Piece, pieces};
pub use self::text::{bare, explained, statements};
use crate::store::{History, HistoryError, Tried};

/// Where the running detector is asked.
pub const QUERY_SUBJECT: &str = elava_bus::ask::QUERY;

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
    /// How many changes there were, sort by sort, span by span until now; the first look at a scope is left out.
    ChangesOverTime {
        /// Only from then on.
        since: Timestamp,
        /// How long a span is, in seconds: spans begin at whole multiples of it, weeks on Mondays (UTC).
        step_seconds: u32,
        /// Where.
        #[serde(default)]
        scope: ScopeFilter,
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
    /// How many violations were open, by severity, at several moments until now.
    ViolationsOverTime {
        /// The first moment.
        since: Timestamp,
        /// Seconds from one to the next.
        step_seconds: u32,
        /// Where.
        #[serde(default)]
        scope: ScopeFilter,
    },
    /// All that is known of one resource, in order.
    Audit {
        /// Its key, or its bare id.
        key: String,
    },
    /// The whole chain of a finding, a decision, an execution, a change, or all findings of a resource.
    Explain {
        /// Its id or the beginning of it, a resource's key, or its bare id.
        id: String,
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
    /// How many findings each exception covers.
    Exceptions {},
    /// Resources that nobody uses or owns.
    Orphans {
        /// Where.
        #[serde(default)]
        scope: ScopeFilter,
    },
    /// Decisions that wait for approval, the most urgent first.
    Approvals {
        /// Where.
        #[serde(default)]
        scope: ScopeFilter,
    },
    /// Decisions and what became of them, latest first; 20 at most.
    Decisions {
        /// How their ids begin, or that of an execution.
        id: String,
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
    /// What policies were given, and the violations that were recorded, resource by resource; of so many parts of all
    /// resources the nth, from 0.
    Replay {
        /// From then on, beginning with how everything was.
        since: Timestamp,
        /// Only before then.
        #[serde(default)]
        until: Option<Timestamp>,
        /// Where.
        #[serde(default)]
        scope: ScopeFilter,
        /// Which part.
        part: u32,
        /// Of how many.
        parts: u32,
    },
    /// How many versions that is, and in how many parts it can be asked for: one row of `versions`, `parts`.
    ReplaySize {
        /// From then on.
        since: Timestamp,
        /// Only before then.
        #[serde(default)]
        until: Option<Timestamp>,
        /// Where.
        #[serde(default)]
        scope: ScopeFilter,
    },
    /// Counts: rows of `measure`, `name`, `value`.
    Summary {},
    /// How much space the history takes: rows of `part`, `rows`, `bytes`, `bytes_per_row`.
    Storage {},
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
    #[error("not a query")]
    Parse(#[source] serde_json::Error),
    /// The history failed.
    #[error("cannot ask the history")]
    History(#[source] HistoryError),
    /// A row is not JSON.
    #[error("the history gave a row that is not JSON")]
    Row(#[source] serde_json::Error),
    /// The answer is held as a whole, and there would be too much of it.
    #[error("the answer is larger than {} MiB: ask for less, in live SQL, or export the history", .0 >> 20)]
    TooLarge(usize),
}

impl Query {
    /// Reads a question.
    pub fn parse(body: &[u8]) -> Result<Self, QueryError> {
        serde_json::from_slice(body).map_err(QueryError::Parse)
    }
}

impl Query {
    /// As one text, for whoever takes no parameters.
    pub(crate) fn text(&self) -> String {
        let (sql, parameters) = self.statement();
        let part = |(piece, part): (Piece, &str)| match piece {
            Piece::Code => filled_in(part, &parameters),
            Piece::Quoted | Piece::Comment => part.to_owned(),
        };
        pieces(sql).map(part).collect()
    }
}

/// Code with the values of its parameters, `$1` and so on.
fn filled_in(code: &str, parameters: &[Parameter]) -> String {
    let mut parts = code.split('$');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: usize = part[..digits].parse().expect("a question names its parameters by numbers");
        filled += &literal(&parameters[number - 1]);
        filled += &part[digits..];
    }
    filled
}

fn literal(value: &Parameter) -> String {
    match value {
        Parameter::Null => "NULL".to_owned(),
        Parameter::Boolean(value) => value.to_string(),
        Parameter::UInt(value) => value.to_string(),
        Parameter::Text(text) => format!("'{}'", text.replace('\'', "''")),
        other => unreachable!("no question has a parameter like {other:?}"),
    }
}

/// Answers a question with one object a row; instants are RFC 3339 texts.
pub fn run(history: &History, query: &Query) -> Result<Vec<Map<String, Value>>, QueryError> {
    lines(history, query)?.iter().map(|row| serde_json::from_str(row).map_err(QueryError::Row)).collect()
}

/// Answers a question with one JSON object a line, in the order of the columns: a tenth of what read rows take.
pub fn lines(history: &History, query: &Query) -> Result<Vec<String>, QueryError> {
    lines_up_to(usize::MAX, history, query)
}

/// The same, unless there are more bytes than that.
pub(crate) fn lines_up_to(most: usize, history: &History, query: &Query) -> Result<Vec<String>, QueryError> {
    let (sql, parameters) = query.statement();
    // lines of its own: the statement may end in a comment
    let sql = format!("SELECT to_json(answer)::VARCHAR FROM (\n{sql}\n) answer");
    let failed = QueryError::History;
    let mut statement = history.connection().prepare(&sql).tried("query").map_err(failed)?;
    let mut rows = statement.query(duckdb::params_from_iter(&parameters)).tried("query").map_err(failed)?;
    let (mut lines, mut left) = (Vec::new(), most);
    while let Some(row) = rows.next().tried("read").map_err(failed)? {
        let line: String = row.get(0).tried("read").map_err(failed)?;
        left = left.checked_sub(line.len()).ok_or(QueryError::TooLarge(most))?;
        lines.push(line);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_so_many_bytes_at_most() {
        let folder = tempfile::tempdir().expect("a folder");
        let history = History::open(&folder.path().join("history.duckdb")).expect("a new history");
        let answer = lines(&history, &Query::Summary {}).expect("an answer");
        let bytes = answer.iter().map(String::len).sum();
        assert!(bytes > 0);
        assert_eq!(lines_up_to(bytes, &history, &Query::Summary {}).expect("no more than that"), answer);
        let error = lines_up_to(bytes - 1, &history, &Query::Summary {}).expect_err("it is more");
        assert!(matches!(error, QueryError::TooLarge(most) if most == bytes - 1), "{error}");
    }

    #[test]
    fn parameters_are_filled_in_once_and_in_code_alone() {
        let text = |text: &str| Parameter::Text(text.to_owned());
        let parameters = [text("$2"), text("it's\n$1"), Parameter::Null, Parameter::UInt(4)];
        let scope = ScopeFilter { account: Some("$1 --".into()), region: Some("'$2'".into()), kind: None };
        assert_eq!(
            filled_in("a = $1 AND b IN ($2, $3) LIMIT $4", &parameters),
            "a = '$2' AND b IN ('it''s\n$1', NULL) LIMIT 4"
        );
        let tags = BTreeMap::from([("a\nb$1".to_owned(), Some("$2".to_owned()))]);
        let question = Query::Resources { at: None, scope, tags, limit: None };
        let asked = question.text();
        let values: Vec<&str> =
            pieces(&asked).filter(|(piece, _)| *piece == Piece::Quoted).map(|(_, part)| part).collect();
        for value in ["'$1 --'", "'$2'"] {
            assert!(values.contains(&value), "{values:?}");
        }
    }

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

//! Where statements run. Both places run the same SQL.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use duckdb::Connection;
use elava_detector::live::{Extension, ExtensionError, Token};
use elava_detector::{History, HistoryError};
use serde_json::Value;

use crate::show::Row;

/// An open history.
pub struct Source {
    connection: Connection,
    place: Place,
}

/// Where statements run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Live,
    File,
}

/// Every value as JSON, under the name of its column.
const JSON: &str = "to_json(COLUMNS(*))::VARCHAR";

/// The rows of an answer, and its columns in order.
#[derive(Debug, Default)]
pub struct Answer {
    /// Their names.
    pub columns: Vec<String>,
    /// By name.
    pub rows: Vec<Row>,
}

impl Answer {
    /// What `EXPLAIN` answers, as the text that it is.
    pub(super) fn plan(&self) -> Option<String> {
        let is_plan = self.columns == ["explain_key", "explain_value"];
        let text = |row: &Row| row["explain_value"].as_str().map(|text| format!("{}\n", text.trim_end()));
        is_plan.then(|| self.rows.iter().filter_map(text).collect())
    }
}

/// Why a history cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The protocol.
    #[error(transparent)]
    Extension(#[from] ExtensionError),
    /// The detector.
    #[error("the detector does not serve SQL at {address}: {reason}")]
    Live {
        /// Where it was asked.
        address: SocketAddr,
        /// DuckDB's words, without the token.
        reason: String,
    },
    /// The file.
    #[error("cannot open {} (while a detector runs, leave out --db)", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        source: Box<HistoryError>,
    },
    /// The statement.
    #[error("{0}")]
    Statement(String),
    /// A value that is no JSON.
    #[error("DuckDB gave a value that is not JSON")]
    Value(#[source] serde_json::Error),
}

impl Source {
    /// The history of the running detector.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn live(address: SocketAddr, token: &Token, extension: &Extension) -> Result<Self, SourceError> {
        let failed = |error: duckdb::Error| SourceError::Live {
            address,
            reason: error.to_string().replace(token.secret(), "…"),
        };
        let connection = Connection::open_in_memory().map_err(failed)?;
        extension.load(&connection)?;
        connection.execute_batch(include_str!("session.sql")).map_err(failed)?;
        // by itself, Quack speaks TLS to whatever is not loopback, and the detector does not
        let token = token.secret().replace('\'', "''");
        let attach = format!("ATTACH 'quack:{address}' AS elava (TOKEN '{token}', DISABLE_SSL true)");
        connection.execute_batch(&attach).map_err(failed)?;
        Ok(Self { connection, place: Place::Live })
    }

    /// A history file that nobody holds.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn file(file: &Path) -> Result<Self, SourceError> {
        let failed = |error| SourceError::File { file: file.to_owned(), source: Box::new(error) };
        Ok(Self { connection: History::open_for_people(file).map_err(failed)?, place: Place::File })
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn ask(&self, sql: &str) -> Result<Answer, SourceError> {
        let failed = |error: duckdb::Error| SourceError::Statement(error.to_string());
        let sql = from_first_word(sql);
        let (statement, value): (String, fn(String) -> _) = match self.place {
            Place::Live => {
                (format!("SELECT {JSON} FROM quack_query_by_name('elava', '{}')", sql.replace('\'', "''")), json)
            }
            // a plan is text, and nothing that can be read from
            Place::File if is_explain(sql) => (sql.to_owned(), plain),
            // lines of their own: a statement may end in a comment
            Place::File => {
                let sql = sql.trim_end_matches(|c: char| c == ';' || c.is_whitespace());
                (format!("SELECT {JSON} FROM (\n{sql}\n)"), json)
            }
        };
        let mut statement = self.connection.prepare(&statement).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        let columns = rows.as_ref().map(|statement| statement.column_names()).unwrap_or_default();
        let mut answer = Answer { columns, rows: Vec::new() };
        while let Some(row) = rows.next().map_err(failed)? {
            let cell = |(index, name): (usize, &String)| {
                let text: Option<String> = row.get(index).map_err(failed)?;
                Ok((name.clone(), text.map_or(Ok(Value::Null), value)?))
            };
            let row: Result<Row, SourceError> = answer.columns.iter().enumerate().map(cell).collect();
            answer.rows.push(row?);
        }
        Ok(answer)
    }
}

fn plain(text: String) -> Result<Value, SourceError> {
    Ok(Value::String(text))
}

fn json(text: String) -> Result<Value, SourceError> {
    serde_json::from_str(&text).map_err(SourceError::Value)
}

fn is_explain(sql: &str) -> bool {
    sql.split(|c: char| !c.is_alphanumeric()).next().is_some_and(|word| word.eq_ignore_ascii_case("explain"))
}

/// Without the comments before it: what a statement is, is told by its first word, by the detector too.
fn from_first_word(sql: &str) -> &str {
    let rest = sql.trim_start();
    let comment = match rest.get(..2) {
        Some("--") => rest.split_once('\n'),
        Some("/*") => rest.split_once("*/"),
        _ => None,
    };
    comment.map_or(rest, |(_, rest)| from_first_word(rest))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::show::csv;

    #[test]
    fn values_of_every_kind() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("h.duckdb");
        drop(Connection::open(&file).expect("a file"));
        let source = Source::file(&file).expect("nobody holds it");
        let sql = "SELECT 1 AS n, NULL AS nothing, 'a \"b\", c' AS s, TIMESTAMPTZ '2026-01-01 00:00:00+00' AS at,
            MAP {'k': 'v'} AS tags, '{\"x\": [1]}'::JSON AS j, 1.50::DECIMAL(9, 2) AS d, 2 AS n -- end";
        let answer = source.ask(sql).expect("rows");
        expect![[r#"
            n,nothing,s,at,tags,j,d,n_1
            1,,"a ""b"", c",2026-01-01 00:00:00+00,"{""k"":""v""}","{""x"":[1]}",1.5,2
        "#]]
        .assert_eq(&csv(&answer.rows, &[]));
        assert!(source.ask("SELECT wrong").expect_err("no column").to_string().contains("wrong"));
        source.ask("DROP TABLE x").expect_err("no rows");
        source.ask("CREATE TABLE x AS SELECT 1").expect_err("no rows");
    }
}

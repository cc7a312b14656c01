//! Where statements run. Both places run the same SQL.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use duckdb::types::ValueRef;
use duckdb::{Connection, InterruptHandle, Row};
use elava_detector::live::{Extension, ExtensionError, Token};
use elava_detector::query::{bare, explained};
use elava_detector::{History, HistoryError};
use serde_json::value::{RawValue, to_raw_value};

use super::answer::Answer;
use super::said;

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

/// The values of a row as one JSON array, and each as a text, under the name of its column. A function for each column would
/// be resolved anew in each statement, and take as long as the protocol.
const VALUES: &str = "json_array(*COLUMNS(*))::VARCHAR AS line, COLUMNS(*)::VARCHAR";

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
    /// The detector knows another token.
    #[error("the token is wrong: the detector at {0} does not take it")]
    Token(SocketAddr),
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
        let failed = |error: duckdb::Error| match error.to_string() {
            said if said.contains("Authentication failed") => SourceError::Token(address),
            said => SourceError::Live { address, reason: said.replace(token.secret(), "…") },
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
        let sql = bare(sql);
        let (statement, read, before): (String, Read, usize) = match self.place {
            Place::Live => (format!("SELECT {VALUES} FROM {}", served(sql)), values, 1),
            // a plan is text, and nothing that can be read from
            Place::File if explained(sql).is_some() => (sql.to_owned(), plan, 0),
            // on a line of its own, where an error points at
            Place::File => (format!("SELECT {VALUES} FROM (\n{sql}\n)"), values, 1),
        };
        let failed = |error: duckdb::Error| SourceError::Statement(self.fault(sql, &error));
        let mut statement = self.connection.prepare(&statement).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        let columns = rows.as_ref().map(|statement| statement.column_names()).unwrap_or_default();
        let mut answer = Answer { columns: columns.into_iter().skip(before).collect(), rows: Vec::new() };
        while let Some(row) = rows.next().map_err(failed)? {
            answer.rows.push(read(row).map_err(failed)?.map_err(SourceError::Value)?);
        }
        Ok(answer)
    }

    /// What ends the statement that runs; one that the detector runs goes on there, and is waited for.
    pub(super) fn interrupt_handle(&self) -> Arc<InterruptHandle> {
        self.connection.interrupt_handle()
    }

    /// What is wrong with a statement.
    fn fault(&self, sql: &str, error: &duckdb::Error) -> String {
        let text = error.to_string();
        match self.place {
            Place::Live => {
                let text = said::from_the_detector(&text);
                match said::unknown_rows(text).and_then(|name| self.nearest(name)) {
                    Some(nearest) => format!("{text}\nDid you mean \"{nearest}\"?"),
                    None if explained(sql).is_some() => text.to_owned(),
                    // the detector too has it on lines of its own
                    None => said::without_first_line(text),
                }
            }
            Place::File => {
                let explained = explained(sql);
                match self.fault_of_parser(explained.unwrap_or(sql)).as_deref() {
                    Some("not implemented") => said::NOT_A_READ.to_owned(),
                    _ if explained.is_some() => text,
                    // in parentheses it means something else
                    Some(_) => self.connection.prepare(sql).err().map_or(text, |error| error.to_string()),
                    None => said::without_first_line(&text),
                }
            }
        }
    }

    /// The sort of error that DuckDB's parser finds; `not implemented` for what is no `SELECT`.
    fn fault_of_parser(&self, sql: &str) -> Option<String> {
        let sort = "SELECT json_serialize_sql(?::VARCHAR)->>'error_type'";
        self.connection.query_row(sort, [sql], |row| row.get(0)).ok().flatten()
    }

    /// The name that is written nearly so, of what the detector serves.
    fn nearest(&self, name: &str) -> Option<String> {
        let sql = include_str!("nearest.sql").replace("WORDS", &served(include_str!("words.sql")));
        self.connection.query_row(&sql, [name], |row| row.get(0)).ok()
    }
}

/// The rows of a statement that the detector runs.
fn served(sql: &str) -> String {
    format!("quack_query_by_name('elava', '{}')", sql.replace('\'', "''"))
}

/// What a row holds, or a value that is no JSON.
type Cells = serde_json::Result<Vec<Box<RawValue>>>;

/// How a row is read.
type Read = fn(&Row) -> duckdb::Result<Cells>;

/// A row of [`VALUES`].
fn values(row: &Row) -> duckdb::Result<Cells> {
    let line: String = row.get(0)?;
    let parsed: Cells = serde_json::from_str(&line).or_else(|_| serde_json::from_str(&with_numbers_in_words(&line)));
    let Ok(mut cells) = parsed else { return Ok(parsed) };
    for (cell, index) in cells.iter_mut().zip(1..) {
        let is_number = cell.get().starts_with(|c: char| c.is_ascii_digit() || c == '-');
        if is_number
            && let ValueRef::Text(text) = row.get_ref(index)?
            && let Some(digits) = in_digits(text)
        {
            *cell = digits;
        }
    }
    Ok(Ok(cells))
}

/// A number as DuckDB writes it, where that is JSON and no power of ten: of a decimal it makes a double in JSON.
fn in_digits(text: &[u8]) -> Option<Box<RawValue>> {
    let text = std::str::from_utf8(text).ok()?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'));
    is_plain.then(|| RawValue::from_string(text.to_owned()).ok())?
}

/// A row of texts.
fn plan(row: &Row) -> duckdb::Result<Cells> {
    let texts: Vec<Option<String>> =
        (0..row.as_ref().column_count()).map(|index| row.get(index)).collect::<Result<_, _>>()?;
    Ok(texts.iter().map(to_raw_value).collect())
}

/// What DuckDB writes into JSON of numbers that JSON does not have, as texts.
fn with_numbers_in_words(text: &str) -> String {
    let (mut written, mut is_text) = (String::new(), false);
    // each up to a quote
    for part in text.split_inclusive('"') {
        if is_text {
            written += part;
        } else {
            let words = part.replace("-Infinity", "\"-inf\"").replace("Infinity", "\"inf\"");
            written += &words.replace("NaN", "\"nan\"");
        }
        let before = part.trim_end_matches('"');
        let is_escaped = (before.len() - before.trim_end_matches('\\').len()) % 2 == 1;
        is_text = !is_text || is_escaped;
    }
    written
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::show::Format;

    fn source(folder: &Path) -> Source {
        let file = folder.join("h.duckdb");
        let connection = Connection::open(&file).expect("a file");
        connection.execute_batch("CREATE TABLE t AS SELECT 'x' AS name").expect("a table");
        drop(connection);
        Source::file(&file).expect("nobody holds it")
    }

    #[test]
    fn values_of_every_kind() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = source(folder.path());
        let sql = "SELECT 1 AS n, NULL AS nothing, 'a \"b\", c' AS s, TIMESTAMPTZ '2026-01-01 00:00:00+00' AS at,
            MAP {'k': 'v'} AS tags, '{\"x\": [1]}'::JSON AS j, 1.50::DECIMAL(9, 2) AS d, 2 AS n -- end";
        expect![[r#"
            n,nothing,s,at,tags,j,d,n_1
            1,,"a ""b"", c",2026-01-01 00:00:00+00,"{""k"":""v""}","{""x"":[1]}",1.50,2
        "#]]
        .assert_eq(&source.ask(sql).expect("rows").write(Format::Csv));
        let sql = "SELECT 11492143115514588067 AS u, 123456789012345.67::DECIMAL(18, 2) AS d, -1267650600228229401496703205376::HUGEINT AS h,
            12345678901234567890123456789012345.60::DECIMAL(38, 2) AS l, 0.004::DOUBLE AS f, 0.1::FLOAT AS s, 1e300::DOUBLE AS e,
            [1.5] AS many, '1.50'::JSON AS j, '007' AS t";
        expect![[r#"
            {"u":11492143115514588067,"d":123456789012345.67,"h":-1267650600228229401496703205376,"l":12345678901234567890123456789012345.60,"f":0.004,"s":0.1,"e":1e300,"many":[1.5],"j":1.50,"t":"007"}
        "#]]
        .assert_eq(&source.ask(sql).expect("rows").write(Format::Ndjson));
    }

    #[test]
    fn numbers_that_json_does_not_have() {
        let folder = tempfile::tempdir().expect("a folder");
        let sql = r#"SELECT 'nan'::DOUBLE AS a, '-inf'::FLOAT AS b, {'NaN\': 'inf'::DOUBLE, '"NaN': [1, 'nan'::DOUBLE]} AS c"#;
        let answer = source(folder.path()).ask(sql).expect("rows");
        expect![[r#"
            {"a":"nan","b":"-inf","c":{"NaN\\":"inf","\"NaN":[1.0,"nan"]}}
        "#]]
        .assert_eq(&answer.write(Format::Ndjson));
        assert!(answer.write(Format::Csv).starts_with("a,b,c\nnan,-inf,"));
    }

    #[test]
    fn faults_point_at_what_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = source(folder.path());
        for (sql, expected) in [
            ("selec 1", "Parser Error: syntax error at or near \"selec\"\n\nLINE 1: selec 1\n        ^"),
            (
                "-- a\nSELECT name::INT FROM t",
                "Conversion Error: Could not convert string 'x' to INT32 when casting from source column name\n\nLINE 1: SELECT name::INT FROM t\n                   ^",
            ),
            ("DROP TABLE t", said::NOT_A_READ),
            ("EXPLAIN ANALYZE DROP TABLE t", said::NOT_A_READ),
            ("CREATE TABLE x AS SELECT 1", said::NOT_A_READ),
        ] {
            assert_eq!(source.ask(sql).expect_err("a fault").to_string(), expected, "{sql}");
        }
        for (sql, expected) in [("SELECT\n wrong", "LINE 2:  wrong\n"), ("EXPLAIN SELECT wrong", "LINE 1: EXPLAIN")] {
            let said = source.ask(sql).expect_err("a fault").to_string();
            assert!(said.contains(expected), "{said}");
        }
    }
}

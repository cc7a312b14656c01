//! Whether a statement only reads the history. Pure: DuckDB's own parser has been asked before, and
//! gives the tree of a statement only when it is a `SELECT` in one of its forms (`FROM`, `VALUES`,
//! `WITH`, `DESCRIBE`, `SHOW`, `SUMMARIZE`).

use std::cell::Cell;

use serde_json::{Map, Value};

use super::results::ResultTable;
use super::vocabulary::Vocabulary;
use crate::query::{after_word, bare, explained};
use crate::shard::Shard;
use crate::watchdog::Ended;

/// Why a statement is not run, or has not ended well. The text is for the reader.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// It is no reading statement: refused without a word.
    #[error("only reading statements are served")]
    NotARead,
    #[error("{0}")]
    Syntax(String),
    #[error("one statement at a time")]
    NotOne,
    #[error("the statement is nested too deeply")]
    Deep,
    #[error("the statement has more than {0} {1}")]
    Large(usize, &'static str),
    #[error("the function {0} is not served")]
    Function(String),
    #[error("{0} is served with a constant form, and no width of more than 999")]
    Form(String),
    #[error("rows of {0} are not served; the history's tables, views and macros are")]
    Rows(String),
    #[error("the history is in several shards: the arguments of {0} must be constants there")]
    Scattered(String),
    #[error("shard {0} of the history is served by nobody at the moment; try again")]
    Away(Shard),
    #[error("too many statements are running; try again")]
    Busy,
    #[error(transparent)]
    Ended(#[from] Ended),
    /// DuckDB's own words.
    #[error("{0}")]
    Failed(String),
}

impl Refusal {
    /// Of an error of DuckDB's.
    pub(super) fn of(error: &duckdb::Error) -> Self {
        let text = error.to_string();
        if text.contains("Out of Memory Error") { Self::Ended(Ended::TooLarge) } else { Self::Failed(text) }
    }
}

/// What a text asks for, by its first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape<'a> {
    /// `BEGIN`, `COMMIT`, `ROLLBACK`: every statement is a transaction of its own here.
    Transaction,
    /// `EXPLAIN`, and the statement explained.
    Explain(&'a str),
    /// Something for the parser.
    Query(&'a str),
    /// Never read further. Quack asks with an `INSERT` whether rows may be appended, and takes any text as a yes.
    Write,
}

/// Sorts a text.
pub(super) fn shape(text: &str) -> Shape<'_> {
    let text = bare(text);
    if let Some(query) = explained(text) {
        return Shape::Explain(query);
    }
    if after_word(text, "insert").is_some() {
        return Shape::Write;
    }
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    match words[..] {
        ["begin" | "commit" | "rollback" | "abort" | "end"]
        | ["begin" | "start" | "commit" | "rollback" | "end", "transaction"] => Shape::Transaction,
        _ => Shape::Query(text),
    }
}

/// How long a text may be. What it takes to judge and to plan a statement is bounded by nothing else, and cannot be
/// interrupted.
const MOST_BYTES: usize = 64 << 10;
/// Planning takes half a second for so many relations that are joined, and half a minute for two and a half times as
/// many;
const MOST_RELATIONS: usize = 100;
/// as long for so many queries, of which each that is united counts twice, or columns.
const MOST_QUERIES: usize = 1000;
const MOST_COLUMNS: usize = 4000;

/// Refuses a text that would take too long to judge.
pub(super) fn check_length(text: &str) -> Result<(), Refusal> {
    if text.len() > MOST_BYTES { Err(Refusal::Large(MOST_BYTES, "bytes")) } else { Ok(()) }
}

/// Judges what DuckDB's `json_serialize_sql` said of a statement, for which `result` may have parts.
pub(super) fn judge(parsed: &str, vocabulary: &Vocabulary, result: Option<ResultTable>) -> Result<(), Refusal> {
    let allowed = Allowed { vocabulary, result, relations: Cell::default(), queries: Cell::default() };
    // serde_json goes 128 deep
    let parsed: Value = serde_json::from_str(parsed).map_err(|_| Refusal::Deep)?;
    if parsed["error"] != Value::Bool(false) {
        return Err(match parsed["error_type"].as_str() {
            Some("parser" | "syntax") => {
                Refusal::Syntax(parsed["error_message"].as_str().unwrap_or_default().to_owned())
            }
            _ => Refusal::NotARead,
        });
    }
    match parsed["statements"].as_array().map(Vec::as_slice) {
        Some([statement]) => walk(statement, &allowed),
        _ => Err(Refusal::NotOne),
    }
}

/// What a statement may refer to.
struct Allowed<'a> {
    vocabulary: &'a Vocabulary,
    result: Option<ResultTable>,
    /// How many there are so far.
    relations: Cell<usize>,
    queries: Cell<usize>,
}

impl Allowed<'_> {
    fn another(count: &Cell<usize>, most: usize, what: &'static str) -> Result<(), Refusal> {
        count.set(count.get() + 1);
        if count.get() > most { Err(Refusal::Large(most, what)) } else { Ok(()) }
    }

    fn another_relation(&self) -> Result<(), Refusal> {
        Self::another(&self.relations, MOST_RELATIONS, "relations")
    }
}

fn walk(node: &Value, allowed: &Allowed) -> Result<(), Refusal> {
    match node {
        Value::Array(nodes) => nodes.iter().try_for_each(|node| walk(node, allowed)),
        Value::Object(fields) if text(fields, "type") == "TABLE_FUNCTION" => walk_rows(fields, allowed),
        Value::Object(fields) => {
            check(fields, allowed)?;
            fields.values().try_for_each(|node| walk(node, allowed))
        }
        _ => Ok(()),
    }
}

/// A table function; its arguments are values again.
fn walk_rows(fields: &Map<String, Value>, allowed: &Allowed) -> Result<(), Refusal> {
    let Some(Value::Object(function)) = fields.get("function") else { return Err(Refusal::NotARead) };
    let name = text(function, "function_name");
    if !allowed.vocabulary.allows_rows_of(name) {
        return Err(Refusal::Rows(format!("{name}()")));
    }
    allowed.another_relation()?;
    let others = fields.iter().filter(|(name, _)| *name != "function").map(|(_, node)| node);
    function.values().chain(others).try_for_each(|node| walk(node, allowed))
}

fn check(fields: &Map<String, Value>, allowed: &Allowed) -> Result<(), Refusal> {
    match text(fields, "type") {
        "BASE_TABLE" => {
            let schema = [text(fields, "catalog_name"), text(fields, "schema_name")];
            check_table(schema, text(fields, "table_name"), allowed)?;
            allowed.another_relation()?;
        }
        kind if kind.ends_with("_NODE") => {
            if !QUERY_NODES.contains(&kind) {
                return Err(Refusal::NotARead);
            }
            Allowed::another(&allowed.queries, MOST_QUERIES, "queries")?;
            if fields.get("select_list").and_then(Value::as_array).is_some_and(|columns| columns.len() > MOST_COLUMNS) {
                return Err(Refusal::Large(MOST_COLUMNS, "columns"));
            }
        }
        _ => {}
    }
    match fields.get("function_name").and_then(Value::as_str) {
        Some(name) if !allowed.vocabulary.allows(name) => Err(Refusal::Function(format!("{name}()"))),
        Some(name) if !is_short(name, fields) => Err(Refusal::Form(format!("{name}()"))),
        _ => Ok(()),
    }
}

/// Whether a function that makes a text as wide as its first argument says is given a constant without wide or computed
/// widths there.
fn is_short(name: &str, function: &Map<String, Value>) -> bool {
    let computes: fn(&str) -> bool = match name.to_ascii_lowercase().as_str() {
        // `%*d`
        "printf" => |form| form.contains('*'),
        // `{:{}}`
        "format" => |form| {
            let form = form.replace("{{", "");
            form.split('{').skip(1).any(|field| field.contains(':') && !field.contains('}'))
        },
        _ => return true,
    };
    let first = function.get("children").and_then(|children| children.get(0));
    let Some(form) = first.and_then(|first| first["value"]["value"].as_str()) else { return false };
    let is_wide = form.as_bytes().windows(4).any(|four| four.iter().all(u8::is_ascii_digit));
    !is_wide && !computes(form)
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

const QUERY_NODES: &[&str] = &["SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"];

fn check_table(schema: [&str; 2], table: &str, allowed: &Allowed) -> Result<(), Refusal> {
    if allowed.result.is_some_and(|result| result.has_part(schema, table)) {
        return Ok(());
    }
    let is_one_of = |name: &str, names: &[&str]| names.iter().any(|one| name.eq_ignore_ascii_case(one));
    // What the catalog does not have, DuckDB looks for among files: all parts of a name together, with dots between.
    let may_be_a_file = if schema == ["", ""] { table.contains('.') } else { !allowed.vocabulary.has_relation(table) };
    let refused = may_be_a_file
        || schema.iter().any(|name| is_one_of(name, &["elava_results", "elava_export", "temp", "system"]))
        || is_one_of(table, &["duckdb_logs", "duckdb_secrets"]);
    if refused { Err(Refusal::Rows(table.to_owned())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use duckdb::Connection;

    use super::*;

    fn say(connection: &Connection, vocabulary: &Vocabulary, sql: &str) -> String {
        let (Shape::Query(query) | Shape::Explain(query)) = shape(sql) else { return format!("{:?}", shape(sql)) };
        let parsed: String = connection
            .query_row("SELECT json_serialize_sql(?::VARCHAR)", [query], |row| row.get(0))
            .expect("an answer");
        judge(&parsed, vocabulary, None).map_or_else(|refusal| refusal.to_string(), |()| "runs".to_owned())
    }

    #[test]
    fn verdicts() {
        let connection = Connection::open_in_memory().expect("a database");
        connection.execute_batch("CREATE MACRO ours(t) AS TABLE SELECT t").expect("a macro");
        let vocabulary = Vocabulary::load(&connection).expect("functions");
        for (sql, expected) in [
            ("SELECT 1", "runs"),
            ("from t;", "runs"),
            ("WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT 2) FROM n", "runs"),
            ("VALUES (1)", "runs"),
            ("DESCRIBE t", "runs"),
            ("SHOW ALL TABLES", "runs"),
            ("SUMMARIZE t", "runs"),
            ("EXPLAIN ANALYZE SELECT 1", "runs"),
            ("FROM ours(now() - INTERVAL 1 DAY)", "runs"),
            ("FROM main.Ours(1)", "runs"),
            ("FROM range(10)", "runs"),
            ("FROM information_schema.tables", "runs"),
            (
                "SELECT max(a) FILTER (b > 1) OVER (ORDER BY c) FROM t, unnest([1]) QUALIFY row_number() OVER () = 1",
                "runs",
            ),
            ("SELECT list_transform(l, lambda x: x + 1), attributes->>'$.a', tags['a'] FROM t", "runs"),
            ("begin transaction;", "Transaction"),
            ("ROLLBACK", "Transaction"),
            ("Insert into t values (1)", "Write"),
            ("EXPLAIN INSERT INTO t VALUES (1)", "only reading statements are served"),
            ("DELETE FROM t", "only reading statements are served"),
            ("SELECT 1; SELECT 2", "one statement at a time"),
            ("SELECT 1; DROP TABLE t", "only reading statements are served"),
            ("SELECT getenv('HOME')", "the function getenv() is not served"),
            ("SELECT system.main.NEXTVAL('s')", "the function nextval() is not served"),
            ("SELECT (SELECT max(sleep_ms(1)) FROM t)", "the function sleep_ms() is not served"),
            ("SELECT range(1000000000)", "the function range() is not served"),
            ("FROM range(nextval('s'))", "the function nextval() is not served"),
            ("SELECT format('a: {:>999} * {:.2f} {{:{}', a, b, c), printf('%5d%%', a)", "runs"),
            ("SELECT format('{:>1000}', a)", "format() is served with a constant form, and no width of more than 999"),
            ("SELECT Format('{:>{}}', a, 9)", "format() is served with a constant form, and no width of more than 999"),
            ("SELECT printf('%*d', 9, a)", "printf() is served with a constant form, and no width of more than 999"),
            ("SELECT format(a, b)", "format() is served with a constant form, and no width of more than 999"),
            (
                "FROM read_text('/etc/passwd')",
                "rows of read_text() are not served; the history's tables, views and macros are",
            ),
            (
                "FROM t WHERE a IN (FROM query('DROP TABLE t'))",
                "rows of query() are not served; the history's tables, views and macros are",
            ),
            (
                "FROM ours((SELECT a FROM glob('*')))",
                "rows of glob() are not served; the history's tables, views and macros are",
            ),
            (
                "FROM elava_results.main.elava_result_1",
                "rows of elava_result_1 are not served; the history's tables, views and macros are",
            ),
        ] {
            assert_eq!(say(&connection, &vocabulary, sql), expected, "{sql}");
        }
        assert!(say(&connection, &vocabulary, "SELEC 1").contains("syntax error"));
    }

    #[test]
    fn what_takes_long_to_plan_is_refused() {
        let connection = Connection::open_in_memory().expect("a database");
        let vocabulary = Vocabulary::load(&connection).expect("functions");
        connection.execute_batch("CREATE TABLE t (i INTEGER)").expect("a table");
        let many = |what: &str, between: &str, count| vec![what; count].join(between);
        for (sql, expected) in [
            (many("SELECT 1", " UNION ALL ", 500), "runs"),
            (many("SELECT 1", " UNION ALL ", 501), "the statement has more than 1000 queries"),
            (format!("FROM {}", many("t", ", ", 100)), "runs"),
            (format!("FROM {}", many("t", ", ", 101)), "the statement has more than 100 relations"),
            (many("FROM range(1)", " UNION ALL ", 101), "the statement has more than 100 relations"),
            (format!("SELECT {}", many("1", ",", 4000)), "runs"),
            (format!("SELECT {}", many("1", ",", 4001)), "the statement has more than 4000 columns"),
            (format!("SELECT 1 IN ({})", many("1", ",", 30000)), "runs"),
        ] {
            assert_eq!(say(&connection, &vocabulary, &sql), expected, "{sql:.50}");
        }
        assert_eq!(check_length(&many("x", "", MOST_BYTES)), Ok(()));
        let refused = check_length(&many("x", "", MOST_BYTES + 1)).expect_err("it is long");
        assert_eq!(refused.to_string(), "the statement has more than 65536 bytes");
    }
}

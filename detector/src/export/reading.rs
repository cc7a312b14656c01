//! `history.sql`: the history's tables, views and macros over the files of an export folder.

use std::collections::HashMap;

use duckdb::Connection;

use super::parquet::Columns;
use super::table::TABLES;
use crate::store::{HistoryError, Tried, definitions};

pub(super) const HISTORY_SQL: &str = "history.sql";

/// The script, for a history with these columns.
pub(super) fn history_sql(connection: &Connection, columns: &HashMap<String, Columns>) -> Result<String, HistoryError> {
    let view = |name: &str| {
        let columns = columns.get(name)?;
        Some(include_str!("sql/view.sql").replace("$table", name).replace("$columns", &columns.read))
    };
    let tables = TABLES.iter().filter_map(|table| view(table.name));
    let parts = [include_str!("sql/reading.sql").to_owned()].into_iter().chain(tables);
    let script: String = parts.chain(definitions().map(|sql| sql.trim_end().to_owned() + "\n")).collect();
    Ok(script + &comments(connection)?)
}

/// What tables and columns mean, as the history says it.
fn comments(connection: &Connection) -> Result<String, HistoryError> {
    let names: Vec<String> = TABLES.iter().map(|table| format!("'{}'", table.name)).collect();
    let sql = include_str!("sql/comments.sql").replace("$tables", &names.join(", "));
    let mut statement = connection.prepare(&sql).tried("describe")?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0)).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    Ok(lines.tried("describe")?.join("\n") + "\n")
}

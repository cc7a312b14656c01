//! `history.sql`: the history's tables, views and macros over the files of an export folder.

use std::collections::HashMap;

use duckdb::Connection;

use super::manifest::MANIFEST;
use super::parquet::Columns;
use super::table::TABLES;
use crate::live::REPEATED;
use crate::store::{HistoryError, Tried, definitions};

pub(super) const HISTORY_SQL: &str = "history.sql";

/// The script, for a history with these columns; over the folders of so many shards, where they are several.
pub(super) fn history_sql(
    connection: &Connection,
    columns: &HashMap<String, Columns>,
    shards: u16,
) -> Result<String, HistoryError> {
    let view = |name: &str| {
        let columns = columns.get(name)?;
        let columns = match &columns.read {
            read if shards > 1 && REPEATED.contains(&name) => format!("DISTINCT {read}"),
            read => read.clone(),
        };
        Some(include_str!("sql/view.sql").replace("$table", name).replace("$columns", &columns))
    };
    let manifests = if shards == 1 { MANIFEST.to_owned() } else { format!("*-of-{shards}/{MANIFEST}") };
    let tables = TABLES.iter().filter_map(|table| view(table.name));
    let parts = [include_str!("sql/reading.sql").replace("$manifests", &manifests)].into_iter().chain(tables);
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

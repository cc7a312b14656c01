//! A history in several files that nobody writes at the moment, read as one.

use std::path::PathBuf;

use duckdb::{Connection, Params};

use super::{HistoryError, Tried, definitions, migrate, quoted, quoted_name};
use crate::live::REPEATED;

/// Attaches the files as `shard_0`, `shard_1`, …, the last of which is the current database then.
pub(super) fn attach(connection: &Connection, files: &[PathBuf]) -> Result<(), HistoryError> {
    for (index, file) in files.iter().enumerate() {
        let sql = format!("ATTACH {} AS shard_{index} (READ_ONLY)", quoted(file));
        let opened = connection.execute_batch(&sql);
        opened.map_err(|source| HistoryError::Open { path: file.clone(), source })?;
        connection.execute_batch(&format!("USE shard_{index}")).tried("read")?;
        migrate::check(connection)?;
    }
    Ok(())
}

/// Views of all of them together, under the names that one file has.
pub(super) fn unite(connection: &Connection, shards: usize) -> Result<(), HistoryError> {
    connection.execute_batch("USE memory").tried("read")?;
    unite_tables(connection, shards, "VIEW ")?;
    definitions().try_for_each(|sql| connection.execute_batch(sql)).tried("read")?;
    let types = rows(connection, include_str!("shards/types.sql"), |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })?;
    for (name, databases) in types {
        let name = quoted_name(&name);
        let all: Vec<String> = databases.split(',').map(|database| format!("FROM {database}.main.{name}")).collect();
        let sql = format!("CREATE VIEW {name} AS {}", all.join(" UNION ALL BY NAME "));
        connection.execute_batch(&sql).tried("read")?;
    }
    storage(connection, shards)
}

/// The tables alone, each as a view: `what` is how its creation begins, up to its name or into it.
pub(super) fn unite_tables(connection: &Connection, shards: usize, what: &str) -> Result<(), HistoryError> {
    for table in rows(connection, include_str!("shards/tables.sql"), |row| row.get::<_, String>(0))? {
        let all: Vec<String> = (0..shards).map(|index| format!("FROM shard_{index}.main.{table}")).collect();
        let all = all.join(if REPEATED.contains(&table.as_str()) { " UNION " } else { " UNION ALL " });
        connection.execute_batch(&format!("CREATE {what}{table} AS {all}")).tried("read")?;
    }
    Ok(())
}

/// How much space each takes, it says of itself alone.
fn storage(connection: &Connection, shards: usize) -> Result<(), HistoryError> {
    for index in 0..shards {
        let make = if index == 0 { "CREATE TABLE memory.main.storage AS" } else { "INSERT INTO memory.main.storage" };
        let sql = format!("USE shard_{index}; {make} FROM storage; USE memory");
        connection.execute_batch(&sql).tried("measure")?;
    }
    Ok(())
}

/// What a query gives.
pub(super) fn rows<T>(
    connection: &Connection,
    sql: &str,
    read: impl Fn(&duckdb::Row) -> duckdb::Result<T>,
) -> Result<Vec<T>, HistoryError> {
    rows_of(connection, sql, [], read)
}

/// The same, of one with parameters.
pub(super) fn rows_of<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl Fn(&duckdb::Row) -> duckdb::Result<T>,
) -> Result<Vec<T>, HistoryError> {
    let mut statement = connection.prepare(sql).tried("describe")?;
    statement.query_map(parameters, |row| read(row)).and_then(Iterator::collect).tried("describe")
}

//! One DuckDB file with everything: a history itself, compact.

use std::path::Path;
use std::time::{Duration, Instant};

use duckdb::Connection;

use super::folder::Workspace;
use super::{ExportError, Written};
use crate::store::{History, HistoryError, STORAGE, Tried, quoted};

/// How long others may keep the copy from being finished, and how often it is tried.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);
/// The copy's name while it is written.
const PARTIAL: &str = "copy.duckdb";

/// Exports into `file`, which must not exist.
pub(super) fn export(
    history: &History,
    file: &Path,
    go_on: &dyn Fn() -> Result<(), ExportError>,
) -> Result<Vec<Written>, ExportError> {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name().map(|name| name.to_string_lossy())) else {
        return Err(ExportError::Name(file.to_owned()));
    };
    let workspace = Workspace::open(folder, &format!(".{name}.partial"))?;
    if file.exists() {
        return Err(ExportError::Exists(file.to_owned()));
    }
    let connection = history.connection();
    let partial = quoted(&workspace.partial(PARTIAL)?);
    let attach = include_str!("sql/attach.sql").replace("'$file'", &partial).replace("$storage", STORAGE);
    connection.execute_batch(&attach).tried("copy")?;
    let tables = copy(history, go_on);
    let detached = connection.execute_batch("DETACH elava_export").tried("finish the copy of");
    let tables = tables?;
    detached?;
    workspace.publish(PARTIAL, &name)?;
    let written = |(table, rows)| Written { table, rows, bytes: None, path: file.to_owned() };
    Ok(tables.into_iter().map(written).collect())
}

/// Copies everything, in one transaction; gives the rows of each table.
fn copy(history: &History, go_on: &dyn Fn() -> Result<(), ExportError>) -> Result<Vec<(String, u64)>, ExportError> {
    let connection = history.connection();
    go_on()?;
    let name: String = connection.query_row(include_str!("sql/name.sql"), [], |row| row.get(0)).tried("name")?;
    let copied = history.snapshot(|| {
        // with the rows it would be several statements, and a setting, which live SQL has locked
        connection.execute_batch(&format!("COPY FROM DATABASE {name} TO elava_export (SCHEMA)")).tried("copy")?;
        let tables = tables(connection)?.into_iter().map(|table| {
            go_on()?;
            let sql = format!("INSERT INTO elava_export.{table} FROM {name}.{table}");
            let rows = connection.execute(&sql, []).tried("copy")?;
            Ok::<_, ExportError>((table, rows as u64))
        });
        tables.collect::<Result<Vec<_>, _>>()
    })?;
    checkpoint(connection, go_on)?;
    Ok(copied)
}

/// Writes all of it into the file itself: what is renamed later is the file alone. Others may be looking at what is
/// attached at that moment, which DuckDB then refuses for.
fn checkpoint(connection: &Connection, go_on: &dyn Fn() -> Result<(), ExportError>) -> Result<(), ExportError> {
    let begun = Instant::now();
    loop {
        go_on()?;
        match connection.execute_batch("CHECKPOINT elava_export") {
            Err(error) if error.to_string().contains("transactions active") && begun.elapsed() < PATIENCE => {
                std::thread::sleep(PAUSE);
            }
            done => return Ok(done.tried("finish the copy of")?),
        }
    }
}

fn tables(connection: &Connection) -> Result<Vec<String>, HistoryError> {
    let mut statement = connection.prepare(include_str!("sql/tables.sql")).tried("describe")?;
    let tables = statement.query_map([], |row| row.get(0));
    tables.and_then(Iterator::collect).tried("describe")
}

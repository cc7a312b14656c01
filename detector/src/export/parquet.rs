//! A folder of Parquet files, by table and day. What is written once is never rewritten; an export adds at most
//! one file per table and day.

use std::collections::HashMap;
use std::path::Path;

use duckdb::{Connection, params};

use super::folder::{Workspace, file_name, put_text};
use super::manifest::{Content, MANIFEST, Manifest};
use super::reading::{HISTORY_SQL, history_sql};
use super::table::{Growth, TABLES, Table};
use super::{ExportError, Written};
use crate::shard::Shard;
use crate::store::{History, HistoryError, Tried, quoted};

/// The columns of a table: as they are written, and as they are read back.
pub(super) struct Columns {
    written: String,
    pub(super) read: String,
}

/// One export being written.
struct Writer<'a> {
    connection: &'a Connection,
    workspace: &'a Workspace,
    go_on: &'a dyn Fn() -> Result<(), ExportError>,
    file_name: String,
    /// Files written, by their places.
    files: Vec<String>,
}

/// Exports into `folder`: all of the history, or what is new since the last time.
pub(super) fn export(
    history: &History,
    folder: &Path,
    shard: Shard,
    go_on: &dyn Fn() -> Result<(), ExportError>,
) -> Result<Vec<Written>, ExportError> {
    let workspace = Workspace::open(folder, ".partial")?;
    let before = Manifest::read(folder)?;
    let connection = history.connection();
    let (manifest, written, files, [reading, reading_all]) = history.snapshot(|| {
        let columns = columns(connection)?;
        let mut manifest = moment(connection)?;
        check(connection, before.as_ref(), &manifest, folder)?;
        if let Some(before) = before.as_ref().filter(|before| before.commit == manifest.commit) {
            // nothing has been committed since
            manifest.clone_from(before);
        }
        let mut writer = Writer {
            connection,
            workspace: &workspace,
            go_on,
            file_name: file_name(manifest.commit),
            files: Vec::new(),
        };
        let mut written = Vec::new();
        for table in TABLES {
            let last = before.as_ref().map(|before| (before.commit, before.tables.get(table.name)));
            let columns = columns.get(table.name).expect("a migrated history has all tables");
            let (content, report) = writer.table(table, columns, last, manifest.commit)?;
            manifest.tables.insert(table.name.to_owned(), content);
            written.push(Written { path: folder.join(table.name), ..report });
        }
        writer.schemas(folder, &columns)?;
        Ok::<_, ExportError>((
            manifest,
            written,
            writer.files,
            [1, shard.of].map(|of| history_sql(connection, &columns, of)),
        ))
    })?;
    for file in &files {
        go_on()?;
        workspace.publish(file, file)?;
    }
    workspace.publish_text(HISTORY_SQL, &reading?)?;
    workspace.publish_text(MANIFEST, &manifest.to_text())?;
    if let Some(all) = folder.parent().filter(|_| shard.of > 1) {
        put_text(all, HISTORY_SQL, &reading_all?)?;
    }
    let folders: Vec<String> = TABLES.iter().map(|table| table.name.to_owned()).collect();
    let kept = manifest.files();
    workspace.sweep(&folders, &|file| kept.contains(file))?;
    Ok(written)
}

fn columns(connection: &Connection) -> Result<HashMap<String, Columns>, HistoryError> {
    let mut statement = connection.prepare(include_str!("sql/columns.sql")).tried("describe")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, Columns { written: row.get(1)?, read: row.get(2)? })));
    rows.and_then(Iterator::collect).tried("describe")
}

/// The moment that the transaction shows.
fn moment(connection: &Connection) -> Result<Manifest, HistoryError> {
    let moment = connection
        .query_row(include_str!("sql/moment.sql"), [], |row| Ok(Manifest::new(row.get(0)?, row.get(2)?, row.get(1)?)));
    moment.tried("name")
}

fn check(connection: &Connection, before: Option<&Manifest>, now: &Manifest, folder: &Path) -> Result<(), ExportError> {
    let Some(before) = before else { return Ok(()) };
    let (folder, found) = (folder.to_owned(), before.history_id.clone());
    if found != now.history_id {
        return Err(ExportError::OtherHistory { folder, found, ours: now.history_id.clone() });
    }
    if before.commit > now.commit {
        return Err(ExportError::Ahead { folder, found: before.commit, ours: now.commit });
    }
    let mark = before.tables.get("closed").and_then(|closed| closed.mark);
    let missed: bool = connection
        .query_row(include_str!("sql/missed.sql"), params![before.commit, mark.unwrap_or(0)], |row| row.get(0))
        .tried("look at what was thinned in")?;
    if missed {
        return Err(ExportError::Thinned(folder));
    }
    Ok(())
}

impl Writer<'_> {
    /// Writes what is new of a table; `last` is the transaction of the export before and what that had of it.
    fn table(
        &mut self,
        table: &Table,
        columns: &Columns,
        last: Option<(u64, Option<&Content>)>,
        commit: u64,
    ) -> Result<(Content, Written), ExportError> {
        let begun = self.files.len();
        let before = last.and_then(|(_, content)| content.cloned()).unwrap_or_default();
        let (mut rows, mut bytes) = (0, 0);
        let mut content = match table.growth {
            // nothing has been committed since
            _ if last.is_some_and(|(last, content)| last == commit && content.is_some()) => before,
            Growth::Whole => {
                let sql = include_str!("sql/whole.sql").replace("$table", table.name);
                (rows, bytes) = self.write(table.name, &sql, columns)?;
                Content { rows, ..Content::default() }
            }
            Growth::Appended { time, mark } => {
                let (new, last) = (mark.after(before.mark), self.last(table.name, mark.last())?);
                for day in self.days(table.name, time, &new)? {
                    let sql = fill(include_str!("sql/of_day.sql"), table.name, time, &new).replace("$day", &day);
                    let (more_rows, more_bytes) = self.write(&format!("{}/day={day}", table.name), &sql, columns)?;
                    (rows, bytes) = (rows + more_rows, bytes + more_bytes);
                }
                Content { mark: last.or(before.mark), rows: before.rows + rows, files: before.files }
            }
        };
        content.files.extend_from_slice(&self.files[begun..]);
        // its place is the caller's to say
        Ok((content, Written { table: table.name.to_owned(), rows, bytes: Some(bytes), path: Path::new("").into() }))
    }

    fn last(&self, table: &str, last: &str) -> Result<Option<u64>, ExportError> {
        let found = self.connection.query_row(&format!("SELECT {last} FROM {table}"), [], |row| row.get(0));
        Ok(found.tried("read")?)
    }

    /// The days that have something new.
    fn days(&self, table: &str, time: &str, new: &str) -> Result<Vec<String>, ExportError> {
        let sql = fill(include_str!("sql/days.sql"), table, time, new);
        let mut statement = self.connection.prepare(&sql).tried("read")?;
        let days = statement.query_map([], |row| row.get(0)).and_then(Iterator::collect);
        Ok(days.tried("read")?)
    }

    /// Writes a file into `folder`; gives its rows and bytes.
    fn write(&mut self, folder: &str, rows: &str, columns: &Columns) -> Result<(u64, u64), ExportError> {
        let file = format!("{folder}/{}", self.file_name);
        let written = self.copy(&file, rows, columns)?;
        self.files.push(file);
        Ok(written)
    }

    fn copy(&self, file: &str, rows: &str, columns: &Columns) -> Result<(u64, u64), ExportError> {
        (self.go_on)()?;
        let sql = include_str!("sql/write.sql")
            .replace("$rows", &rows.replace("$columns", &columns.written))
            .replace("'$file'", &quoted(&self.workspace.partial(file)?));
        Ok(self.connection.query_row(&sql, [], |row| Ok((row.get(1)?, row.get(2)?))).tried("copy")?)
    }

    /// A file without rows of every table: what is empty has columns too.
    fn schemas(&mut self, folder: &Path, columns: &HashMap<String, Columns>) -> Result<(), ExportError> {
        for table in TABLES.iter().filter(|table| matches!(table.growth, Growth::Appended { .. })) {
            let file = format!("schema/{}.parquet", table.name);
            if let Some(columns) = columns.get(table.name).filter(|_| !folder.join(&file).exists()) {
                self.copy(&file, &include_str!("sql/empty.sql").replace("$table", table.name), columns)?;
                self.files.push(file);
            }
        }
        Ok(())
    }
}

fn fill(sql: &str, table: &str, time: &str, new: &str) -> String {
    sql.replace("$table", table).replace("$time", time).replace("$new", new)
}

//! Every resource type is a table: the scalar attributes of existing resources as columns.
//!
//! Made of `current`, and changed in the transaction that changes it. A type has a table `fields.<name>`
//! and a view `<name>` over that and the rows of `fields.recent`, where new ones wait until there are
//! enough to be moved: one row more in a table of a hundred columns costs a hundred blocks of memory.

mod rows;
mod table;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use duckdb::params;

use super::read::get;
use super::write::Way;
use super::{History, HistoryError, Tried};
use crate::fields::Cells;
use crate::version::Version;
use rows::Rows;
use table::Table;

const WAY: Way = Way { stage: include_str!("stage.sql"), apply: include_str!("apply.sql") };
/// How the tables are made. Another number has them made anew when a file is opened.
const LAYOUT: u32 = 1;
/// Rows of one type that wait in `fields.recent` at most. More make its queries slower, fewer have its
/// table written more often.
const RECENT: i64 = 8192;
/// Rows of `current` that are read at a time: whole versions of more would not fit in DuckDB's memory.
const TOGETHER: i64 = 10_000;

impl History {
    /// Takes out what has ended and puts in what has begun; within the transaction that has staged both.
    pub(super) fn write_fields(&self, ended: &[Version], begun: &[Version]) -> Result<(), HistoryError> {
        let mut types: BTreeMap<&str, Vec<&Version>> = BTreeMap::new();
        for version in begun.iter().filter(|version| version.end.is_none()) {
            types.entry(&version.columns.key.kind).or_default().push(version);
        }
        // first: DuckDB commits no change of rows to a table that was altered after it
        let mut rows = Rows::default();
        let tables = types.into_iter().map(|(kind, versions)| self.grow_table(kind, &versions, &mut rows));
        let tables = tables.collect::<Result<Vec<Table>, _>>()?;
        if !ended.is_empty() {
            let left: BTreeSet<&str> = ended.iter().map(|version| version.columns.key.kind.as_str()).collect();
            Table::leave_recent(self)?;
            left.into_iter().try_for_each(|kind| Table::leave(self, kind))?;
        }
        if tables.is_empty() {
            return Ok(());
        }
        self.write(&WAY, || {
            self.append("staged_fields", |to| {
                rows.finish().into_iter().try_for_each(|rows| to.append_record_batch(rows))
            })
        })?;
        tables.iter().try_for_each(|table| if table.has_many(self)? { table.take_in(self) } else { Ok(()) })
    }

    /// Reads the resources of one type into rows, and gives its table the columns that they need.
    fn grow_table(&self, kind: &str, versions: &[&Version], rows: &mut Rows) -> Result<Table, HistoryError> {
        let (mut table, mut cells) = (Table::open(self, kind)?, Cells::new());
        for version in versions {
            table.read(version, &mut cells)?;
            rows.push(version, &cells);
        }
        table.grow(self)?;
        Ok(table)
    }

    /// Makes all tables anew if they are of another layout, or have not all been made.
    pub(super) fn build_fields(&self) -> Result<(), HistoryError> {
        let one = |sql| self.connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).tried("read");
        if one("SELECT number::BIGINT FROM fields.layout")? == Some(i64::from(LAYOUT)) {
            return Ok(());
        }
        self.transaction(|| Table::drop_all(self))?;
        if let Some(last) = one("SELECT max(rowid) FROM current")? {
            tracing::info!("making the tables of resource types");
            // From the end: where DuckDB merges row groups after a commit, rows come nearer to the beginning. Some come
            // twice so, and none is missed.
            let mut made = HashSet::new();
            for first in (0..=last / TOGETHER).rev().map(|part| part * TOGETHER) {
                let mut versions = self.versions_at((first, first + TOGETHER - 1), None)?;
                versions.retain(|version| made.insert(version.id));
                self.transaction(|| self.write_fields(&[], &versions))?;
            }
        }
        self.transaction(|| self.set("UPDATE fields.layout SET number = ?", params![LAYOUT]))
    }

    /// Runs statements that were made for one type.
    fn run(&self, sql: &str) -> Result<(), HistoryError> {
        self.connection.execute_batch(sql).tried("write the tables of types of")
    }

    /// Runs a statement that is the same for all types.
    fn set(&self, sql: &str, parameters: impl duckdb::Params) -> Result<(), HistoryError> {
        let run = || self.connection.prepare_cached(sql)?.execute(parameters);
        run().map(drop).tried("write the tables of types of")
    }

    /// The texts that a query gives.
    fn texts(&self, sql: &str, parameters: impl duckdb::Params) -> Result<Vec<String>, HistoryError> {
        let mut texts = Vec::new();
        self.each(sql, parameters, |row| {
            texts.push(get(row, 0)?);
            Ok(())
        })?;
        Ok(texts)
    }
}

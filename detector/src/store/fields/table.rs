//! The table and the view of one resource type.

use duckdb::params;
use hashbrown::HashSet;

use super::RECENT;
use crate::fields::{Cells, Column, Layout, Scalar, plain, unused};
use crate::store::read::get;
use crate::store::{History, HistoryError, Tried, quoted_name};
use crate::version::Version;

/// The table of one type, as the transaction sees it.
pub(super) struct Table {
    kind: String,
    name: String,
    layout: Layout,
    is_new: bool,
}

impl Table {
    /// The table of a type; one that is new is made by [`Table::grow`].
    pub(super) fn open(history: &History, kind: &str) -> Result<Self, HistoryError> {
        if let Some(table) = Self::find(history, kind)? {
            return Ok(table);
        }
        let mut taken: HashSet<String> = history.texts(include_str!("names.sql"), [])?.into_iter().collect();
        let name = unused(&plain(kind).to_ascii_lowercase(), &mut taken);
        history.set("INSERT INTO fields.types VALUES (?, ?)", params![kind, name])?;
        let table = Self { kind: kind.to_owned(), name, layout: Layout::new(Vec::new()), is_new: true };
        history.run(&table.fill(include_str!("create.sql")))?;
        Ok(table)
    }

    fn find(history: &History, kind: &str) -> Result<Option<Self>, HistoryError> {
        let (mut found, mut columns) = (None, Vec::new());
        history.each(include_str!("load.sql"), params![kind], |row| {
            found = Some(get(row, 0)?);
            if let Some(path) = get(row, 1)? {
                let text: String = get(row, 3)?;
                let scalar = Scalar::parse(&text).ok_or(HistoryError::Wrong { what: "data type", text })?;
                columns.push(Column { path, name: get(row, 2)?, scalar });
            }
            Ok(())
        })?;
        Ok(found.map(|name| Self { kind: kind.to_owned(), name, layout: Layout::new(columns), is_new: false }))
    }

    /// Reads the attributes of one resource into cells.
    pub(super) fn read(&mut self, version: &Version, cells: &mut Cells) -> Result<(), HistoryError> {
        let text = &version.columns.attributes;
        let wrong = |error| HistoryError::Wrong { what: "attributes", text: format!("{text} ({error})") };
        self.layout.read(text, cells).map_err(wrong)
    }

    /// Gives the table the columns that its resources have been found to need, and the view too.
    pub(super) fn grow(&mut self, history: &History) -> Result<(), HistoryError> {
        if !self.is_new && !self.layout.has_changed() {
            return Ok(());
        }
        let fill = |sql: &str, column: &Column| {
            self.fill(sql)
                .replace("{column}", &quoted_name(&column.name))
                .replace("{scalar}", column.scalar.as_str())
                .replace("{path}", &literal(&column.path))
        };
        for (ordinal, column) in self.layout.added() {
            history.run(&fill(include_str!("add.sql"), column))?;
            let row = params![self.kind, ordinal + 1, column.path, column.name, column.scalar.as_str()];
            history.set("INSERT INTO fields.columns VALUES (?, ?, ?, ?, ?)", row)?;
        }
        for (column, _) in self.layout.widened() {
            history.run(&fill(include_str!("widen.sql"), column))?;
            let row = params![column.scalar.as_str(), self.kind, column.path];
            history.set("UPDATE fields.columns SET data_type = ? WHERE type = ? AND path = ?", row)?;
        }
        // last: DuckDB commits no change of rows to a table that was altered after it
        for (column, _) in self.layout.widened().filter(|(_, before)| *before == Scalar::Double) {
            history.run(&fill(include_str!("reread.sql"), column))?;
        }
        history.run(&self.fill(include_str!("view.sql")))?;
        let comments = history.texts(include_str!("comments.sql"), params![self.kind])?;
        history.run(&comments.join(";"))
    }

    /// Whether so many rows wait that they are worth a move.
    pub(super) fn has_many(&self, history: &History) -> Result<bool, HistoryError> {
        let sql = "SELECT count(*) > ? FROM fields.recent WHERE type = ?";
        let mut sql = history.connection.prepare_cached(sql).tried("query")?;
        sql.query_row(params![RECENT, self.kind], |row| row.get(0)).tried("read")
    }

    /// Moves the rows that wait into the table.
    pub(super) fn take_in(&self, history: &History) -> Result<(), HistoryError> {
        history.run(&self.fill(include_str!("move.sql")))
    }

    /// Takes the resources that have ended out of the table of a type.
    pub(super) fn leave(history: &History, kind: &str) -> Result<(), HistoryError> {
        let names = history.texts("SELECT name FROM fields.types WHERE type = ?", params![kind])?;
        names.iter().try_for_each(|name| history.run(&include_str!("leave.sql").replace("{name}", &quoted_name(name))))
    }

    /// Takes the resources that have ended out of those that wait.
    pub(super) fn leave_recent(history: &History) -> Result<(), HistoryError> {
        history.run(&include_str!("leave.sql").replace("{name}", "recent"))
    }

    /// Removes the tables of all types.
    pub(super) fn drop_all(history: &History) -> Result<(), HistoryError> {
        for name in history.texts("SELECT name FROM fields.types", [])? {
            history.run(&include_str!("drop.sql").replace("{name}", &quoted_name(&name)))?;
        }
        history.run(include_str!("forget.sql"))
    }

    fn fill(&self, sql: &str) -> String {
        let columns = self.layout.columns();
        let names = columns.iter().map(|column| format!("{}, ", quoted_name(&column.name)));
        let cells = (1..).zip(columns).map(|(ordinal, Column { name, scalar, .. })| {
            format!("cells[{ordinal}]::{} AS {}, ", scalar.as_str(), quoted_name(name))
        });
        sql.replace("{columns}", &names.collect::<String>())
            .replace("{cells}", &cells.collect::<String>())
            .replace("{name}", &quoted_name(&self.name))
            .replace("{type}", &literal(&self.kind))
    }
}

/// A text as it stands between single quotes.
fn literal(text: &str) -> String {
    text.replace('\'', "''")
}

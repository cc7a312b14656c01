//! The recorded history of `tests/story.ndjson`, for SQL: it is Monday 2026-11-16, 12:00 UTC.

use std::path::Path;

use elava_bus::{Batch, Page, Source};

use crate::harness::{Bench, page};

/// What `now` is in the story.
pub(crate) const NOW: &str = "2026-11-16T12:00:00Z";

/// A detector that has been told the story.
pub(crate) fn told() -> Bench {
    let bench = Bench::new();
    let received_at = NOW.parse().expect("a time");
    let story = Page { received_at, body: include_str!("../story.ndjson").into(), ..page(1, &[]) };
    let output = bench.handle(&Batch { source: Source::Pipe, pages: vec![story] });
    assert_eq!(output.rejected, []);
    bench
}

/// The story's history, opened as an analyst does.
pub(crate) struct Story {
    connection: duckdb::Connection,
    /// Holds the folder of the file.
    _bench: Option<Bench>,
}

impl Story {
    pub(crate) fn open() -> Self {
        let mut bench = told();
        bench.stop();
        let story = Self::over(&bench.path);
        Self { _bench: Some(bench), ..story }
    }

    /// A file that has been told the story.
    pub(crate) fn over(path: &Path) -> Self {
        let connection = duckdb::Connection::open(path).expect("nobody else has it open");
        let settings = format!("SET TimeZone = 'UTC'; SET VARIABLE now = TIMESTAMPTZ '{NOW}'");
        connection.execute_batch(&settings).expect("settings");
        Self { connection, _bench: None }
    }

    /// A folder to which such a file was exported.
    pub(crate) fn over_folder(path: &Path) -> Self {
        let connection = duckdb::Connection::open_in_memory().expect("a database");
        let script = std::fs::read_to_string(path.join("history.sql")).expect("a script");
        let place = format!("SET VARIABLE history = '{}'; SET VARIABLE now = TIMESTAMPTZ '{NOW}';", path.display());
        connection.execute_batch(&(place + &script)).expect("the script runs");
        Self { connection, _bench: None }
    }

    /// Runs a setting.
    pub(crate) fn set(&self, sql: &str) {
        self.connection.execute_batch(sql).expect(sql);
    }

    /// The rows of a statement as texts, the names of its columns first; or the error's first line.
    pub(crate) fn rows(&self, sql: &str) -> Result<Vec<Vec<String>>, String> {
        let first_line = |error: duckdb::Error| error.to_string().lines().next().unwrap_or_default().to_owned();
        let sql = format!("SELECT COLUMNS(*)::VARCHAR FROM ({sql})");
        let mut statement = self.connection.prepare(&sql).map_err(first_line)?;
        let mut found = statement.query([]).map_err(first_line)?;
        let mut rows = Vec::new();
        while let Some(row) = found.next().map_err(first_line)? {
            let columns = row.as_ref().column_count();
            let cell = |column| row.get::<_, Option<String>>(column).map(|text| text.unwrap_or_else(|| "-".to_owned()));
            rows.push((0..columns).map(cell).collect::<duckdb::Result<_>>().map_err(first_line)?);
        }
        drop(found);
        rows.insert(0, statement.column_names());
        Ok(rows)
    }

    /// The rows of a statement without their header, columns joined by ` | `.
    pub(crate) fn lines(&self, sql: &str) -> String {
        match self.rows(sql) {
            Ok(rows) => rows.iter().skip(1).map(|row| row.join(" | ") + "\n").collect(),
            Err(error) => error,
        }
    }
}

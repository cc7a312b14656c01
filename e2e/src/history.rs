//! Reading a history that nobody holds.

use std::path::Path;

use duckdb::{AccessMode, Config, Connection};

fn open(db: &Path) -> Connection {
    let config = Config::default().access_mode(AccessMode::ReadOnly).expect("read-only is known");
    Connection::open_with_flags(db, config).expect("nobody holds the history")
}

/// Every row of a query, each as one line of JSON.
///
/// # Panics
/// When the query fails.
#[must_use]
pub fn dump(db: &Path, sql: &str) -> Vec<String> {
    let connection = open(db);
    let mut statement =
        connection.prepare(&format!("SELECT CAST(to_json(row) AS VARCHAR) FROM ({sql}) AS row")).expect(sql);
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect(sql);
    rows.map(|row| row.expect("a row")).collect()
}

/// One number.
///
/// # Panics
/// When the query fails.
#[must_use]
pub fn scalar(db: &Path, sql: &str) -> i64 {
    open(db).query_row(sql, [], |row| row.get(0)).expect(sql)
}

/// What people mean by the changes: type, resource, whether baseline, what is said; sorted.
#[must_use]
pub fn changes(db: &Path) -> Vec<String> {
    dump(db, "SELECT c.type, k.key, c.baseline, c.details FROM changes c JOIN keys k USING (resource_id) ORDER BY ALL")
}

/// What people mean by the decisions; sorted.
#[must_use]
pub fn decisions(db: &Path) -> Vec<String> {
    dump(db, "SELECT action, severity, state, reason FROM decisions ORDER BY ALL")
}

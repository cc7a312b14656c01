//! Numbered migrations, each run once; views and macros, made anew at each start.

use duckdb::{Connection, params};

use super::{HistoryError, Tried, lives};

struct Migration {
    number: u32,
    name: &'static str,
    sql: &'static str,
}

/// Never changed once released; a new one is added at the end.
const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "0001_init", sql: include_str!("migrations/0001_init.sql") },
    Migration { number: 2, name: "0002_scopes", sql: include_str!("migrations/0002_scopes.sql") },
    Migration { number: 3, name: "0003_retention", sql: include_str!("migrations/0003_retention.sql") },
    Migration { number: 4, name: "0004_fields", sql: include_str!("migrations/0004_fields.sql") },
    Migration { number: 5, name: "0005_approvals", sql: include_str!("migrations/0005_approvals.sql") },
    Migration { number: 6, name: "0006_lives", sql: include_str!("migrations/0006_lives.sql") },
    Migration { number: 7, name: "0007_json", sql: include_str!("migrations/0007_json.sql") },
    Migration { number: 8, name: "0008_texts", sql: include_str!("migrations/0008_texts.sql") },
    Migration { number: 9, name: "0009_slices", sql: include_str!("migrations/0009_slices.sql") },
    Migration { number: 10, name: "0010_tags", sql: include_str!("migrations/0010_tags.sql") },
    Migration { number: 11, name: "0011_versions", sql: include_str!("migrations/0011_versions.sql") },
];

/// In order: later ones use earlier ones.
const DEFINITIONS: &[&str] = &[
    include_str!("macros/text.sql"),
    include_str!("macros/time.sql"),
    include_str!("macros/filters.sql"),
    include_str!("views/coverage.sql"),
    include_str!("views/all_versions.sql"),
    include_str!("views/resources.sql"),
    include_str!("views/sightings.sql"),
    include_str!("views/versions.sql"),
    include_str!("views/change_log.sql"),
    include_str!("views/violation_log.sql"),
    include_str!("views/open_violations.sql"),
    include_str!("views/blessed.sql"),
    include_str!("views/orphans.sql"),
    include_str!("views/suppressed.sql"),
    include_str!("views/decision_log.sql"),
    include_str!("views/pending_approvals.sql"),
    include_str!("macros/versions.sql"),
    include_str!("macros/changes.sql"),
    include_str!("macros/violations.sql"),
    include_str!("macros/costs.sql"),
    include_str!("macros/difference.sql"),
    include_str!("macros/audit.sql"),
    include_str!("macros/explanation.sql"),
    include_str!("macros/replay.sql"),
];

/// Of a file, and of no copy in another form.
const FILE: &str = include_str!("views/storage.sql");

const LEDGER: &str = "
CREATE TABLE IF NOT EXISTS migrations (number UINTEGER NOT NULL, name VARCHAR NOT NULL, applied_at TIMESTAMPTZ NOT NULL);
COMMENT ON TABLE migrations IS 'The changes to this schema that have been made';";

/// Brings a file to the schema of this build. Running it again changes nothing.
pub(super) fn migrate(connection: &Connection) -> Result<(), HistoryError> {
    connection.execute_batch(LEDGER).tried("prepare")?;
    let found = found(connection)?;
    for migration in MIGRATIONS.iter().filter(|migration| migration.number > found) {
        run(connection, migration).map_err(|source| HistoryError::Migrate { name: migration.name, source })?;
    }
    define(connection).tried("define the views of")
}

/// Whether a file has the schema of this build.
pub(super) fn check(connection: &Connection) -> Result<(), HistoryError> {
    let (found, known) = (found(connection)?, known());
    if found < known { Err(HistoryError::Older { found, known }) } else { Ok(()) }
}

/// A file's last migration, where this build knows it.
fn found(connection: &Connection) -> Result<u32, HistoryError> {
    let known = known();
    let found: u32 = connection
        .query_row("SELECT coalesce(max(number), 0)::UINTEGER FROM migrations", [], |row| row.get(0))
        .tried("read the version of")?;
    if found > known { Err(HistoryError::Newer { found, known }) } else { Ok(found) }
}

fn known() -> u32 {
    MIGRATIONS.last().map_or(0, |migration| migration.number)
}

/// What makes the views and macros, in order.
pub(crate) fn definitions() -> impl Iterator<Item = &'static str> {
    DEFINITIONS.iter().copied()
}

/// Views and macros, and beside every column what it means.
fn define(connection: &Connection) -> duckdb::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    // what views and macros read; its columns are explained once others are
    lives::make(&transaction)?;
    definitions().chain([FILE]).try_for_each(|sql| transaction.execute_batch(sql))?;
    lives::define(&transaction)?;
    let comments: Vec<String> = {
        let mut statement = transaction.prepare(include_str!("comments.sql"))?;
        statement.query_map([], |row| row.get(0))?.collect::<duckdb::Result<_>>()?
    };
    transaction.execute_batch(&comments.join(";"))?;
    lives::make(&transaction)?;
    transaction.commit()
}

fn run(connection: &Connection, migration: &Migration) -> duckdb::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(migration.sql)?;
    transaction.execute("INSERT INTO migrations VALUES (?, ?, now())", params![migration.number, migration.name])?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(connection: &Connection) -> Vec<String> {
        let sql = "SELECT coalesce(sql, '') FROM duckdb_tables() UNION ALL SELECT coalesce(sql, '') FROM duckdb_views()
            UNION ALL SELECT function_name || coalesce(macro_definition, '') FROM duckdb_functions() WHERE NOT internal ORDER BY 1";
        let mut statement = connection.prepare(sql).expect("a statement");
        statement.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("texts")
    }

    #[test]
    fn migrating_twice_changes_nothing() {
        let connection = Connection::open_in_memory().expect("a database");
        migrate(&connection).expect("a fresh database");
        let fresh = schema(&connection);
        migrate(&connection).expect("a migrated database");
        assert_eq!(schema(&connection), fresh);
        let rows: i64 = connection.query_row("SELECT count(*) FROM migrations", [], |row| row.get(0)).expect("a count");
        assert_eq!(rows, MIGRATIONS.len() as i64);
    }

    #[test]
    fn a_newer_history_is_refused() {
        let connection = Connection::open_in_memory().expect("a database");
        migrate(&connection).expect("a fresh database");
        connection.execute_batch("INSERT INTO migrations VALUES (999, 'x', now())").expect("a row");
        let error = migrate(&connection).expect_err("it is newer");
        assert_eq!(error.to_string(), "the history is of a newer version (migration 999) than this build knows (11)");
    }

    #[test]
    fn everything_is_explained() {
        let connection = Connection::open_in_memory().expect("a database");
        migrate(&connection).expect("a fresh database");
        let sql = "SELECT table_name || '.' || column_name FROM duckdb_columns() WHERE NOT internal AND comment IS NULL
            UNION ALL SELECT table_name FROM duckdb_tables() WHERE comment IS NULL
            UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal AND comment IS NULL
            UNION ALL SELECT function_name FROM duckdb_functions() WHERE NOT internal AND comment IS NULL";
        let mut statement = connection.prepare(sql).expect("a statement");
        let silent: Vec<String> =
            statement.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("texts");
        assert_eq!(silent, [""; 0]);
    }
}

//! Two histories that nobody holds, row by row.

use std::collections::BTreeSet;
use std::path::Path;

use duckdb::Connection;

use super::Compared;
use crate::cloud::ACCOUNT;

const LINES: &str = include_str!("lines.sql");
const DIFFERENCES: &str = include_str!("differences.sql");

/// Of what is replayed everything is the same, of what was observed what does not depend on when.
const QUERIES: [(&str, &str); 12] = [
    ("versions", include_str!("replayed/versions.sql")),
    ("sightings", include_str!("replayed/sightings.sql")),
    ("changes", include_str!("replayed/changes.sql")),
    ("scans", include_str!("replayed/scans.sql")),
    ("violations", include_str!("replayed/violations.sql")),
    ("policy errors", include_str!("replayed/policy_errors.sql")),
    ("decisions", include_str!("replayed/decisions.sql")),
    ("deliveries", include_str!("replayed/deliveries.sql")),
    ("versions observed", include_str!("observed/versions.sql")),
    ("changes observed", include_str!("observed/changes.sql")),
    ("violations observed", include_str!("observed/violations.sql")),
    ("decisions observed", include_str!("observed/decisions.sql")),
];

pub(super) fn compare(undisturbed: &Path, disturbed: &Path) -> anyhow::Result<Vec<Compared>> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(&format!("SET VARIABLE observed = '{ACCOUNT}'"))?;
    for (name, path) in [("undisturbed", undisturbed), ("disturbed", disturbed)] {
        connection.execute_batch(&format!("ATTACH '{}' AS {name} (READ_ONLY)", path.display()))?;
    }
    QUERIES.into_iter().map(|(what, query)| rows(&connection, what, query)).collect()
}

fn rows(connection: &Connection, what: &'static str, query: &str) -> anyhow::Result<Compared> {
    for (database, table) in [("undisturbed", "expected"), ("disturbed", "found")] {
        let lines = LINES.replace("{table}", table).replace("{query}", query);
        connection.execute_batch(&format!("USE {database}; {lines}"))?;
    }
    let count =
        |table| connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, usize>(0));
    let mut differences = connection.prepare(DIFFERENCES)?;
    let differences = differences.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(Compared { what, expected: count("expected")?, found: count("found")?, differences })
}

/// What appeared and disappeared, each once.
pub(super) fn lifecycle(what: &'static str, history: &Path, expected: &BTreeSet<String>) -> anyhow::Result<Compared> {
    against(what, history, include_str!("replayed/lifecycle.sql"), expected)
}

pub(super) fn existing(what: &'static str, history: &Path, expected: &BTreeSet<String>) -> anyhow::Result<Compared> {
    against(what, history, include_str!("replayed/existing.sql"), expected)
}

fn against(what: &'static str, history: &Path, query: &str, expected: &BTreeSet<String>) -> anyhow::Result<Compared> {
    let connection = Connection::open(history)?;
    connection.execute_batch(&format!("SET VARIABLE observed = '{ACCOUNT}'"))?;
    let mut statement = connection.prepare(query)?;
    let mut found = BTreeSet::new();
    let mut twice = Vec::new();
    for line in statement.query_map([], |row| row.get::<_, String>(0))? {
        let line = line?;
        if let Some(known) = found.replace(line) {
            twice.push(format!("twice: {known}"));
        }
    }
    let mut compared = Compared::sets(what, expected, &found);
    compared.found += twice.len();
    compared.differences.extend(twice.into_iter().take(5));
    Ok(compared)
}

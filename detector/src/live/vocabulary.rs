//! Which functions a reader may call.
//!
//! Table functions are named one by one: those of DuckDB reach files, the network, raw pointers and
//! other statements. Of all others, only what has side effects, reads the process's environment, or
//! makes large values out of small ones in one uninterruptible step is refused.

use std::collections::HashSet;

use duckdb::Connection;

/// Table functions of DuckDB that only read the catalog or make rows.
const TABLE_FUNCTIONS: &[&str] = &[
    "duckdb_columns",
    "duckdb_constraints",
    "duckdb_functions",
    "duckdb_indexes",
    "duckdb_keywords",
    "duckdb_schemas",
    "duckdb_tables",
    "duckdb_types",
    "duckdb_views",
    "generate_series",
    "json_each",
    "json_tree",
    "pragma_collations",
    "pragma_show",
    "pragma_table_info",
    "pragma_version",
    "range",
    "summary",
    "unnest",
];

/// Not repeatable, and harmless.
const HARMLESS: &[&str] = &["error", "gen_random_uuid", "random", "uuid", "uuidv4", "uuidv7"];

/// Refused whatever DuckDB says of them.
const REFUSED: &[&str] = &[
    // what the process knows
    "getenv",
    "getvariable",
    // a small text or list made large, or a wait, in one step that cannot be interrupted
    "array_resize",
    "bitstring",
    "damerau_levenshtein",
    "generate_series",
    "list_resize",
    "lpad",
    "range",
    "repeat",
    "rpad",
    "sleep_ms",
    // ours and Quack's
    "elava_admit",
    "quack_check_token",
    "quack_nop_authorization",
    "quack_uri_parser",
];

/// What a reader may call.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    refused: HashSet<String>,
    tables: HashSet<String>,
    relations: HashSet<String>,
}

impl Vocabulary {
    /// What DuckDB and the history offer.
    pub(super) fn load(connection: &Connection) -> duckdb::Result<Self> {
        let mut vocabulary = Self::default();
        vocabulary.tables.extend(TABLE_FUNCTIONS.iter().map(|name| (*name).to_owned()));
        let mut statement = connection.prepare(include_str!("functions.sql"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (name, is_macro): (String, bool) = (row.get(0)?, row.get(1)?);
            if is_macro { &mut vocabulary.tables } else { &mut vocabulary.refused }.insert(name);
        }
        vocabulary.look_again(connection)?;
        for name in HARMLESS {
            vocabulary.refused.remove(*name);
        }
        vocabulary.refused.extend(REFUSED.iter().map(|name| (*name).to_owned()));
        Ok(vocabulary)
    }

    /// Learns which tables and views there are now: a resource type that is seen for the first time brings some.
    pub(super) fn look_again(&mut self, connection: &Connection) -> duckdb::Result<()> {
        let mut statement = connection.prepare(include_str!("relations.sql"))?;
        self.relations = statement.query_map([], |row| row.get(0))?.collect::<duckdb::Result<_>>()?;
        Ok(())
    }

    /// Whether a value may be computed with it.
    pub(super) fn allows(&self, function: &str) -> bool {
        !self.refused.contains(&function.to_ascii_lowercase())
    }

    /// Whether rows may come from it.
    pub(super) fn allows_rows_of(&self, function: &str) -> bool {
        self.tables.contains(&function.to_ascii_lowercase())
    }

    /// Whether there is a table or a view of that name.
    pub(super) fn has_relation(&self, name: &str) -> bool {
        self.relations.contains(&name.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    /// A new DuckDB brings new ones: each is to be thought about.
    #[test]
    fn refused_functions_are_known() {
        let connection = Connection::open_in_memory().expect("a database");
        let vocabulary = Vocabulary::load(&connection).expect("functions");
        let mut refused: Vec<&str> = vocabulary.refused.iter().map(String::as_str).collect();
        refused.sort_unstable();
        expect!["array_resize bitstring current_connection_id current_query current_query_id current_transaction_id currval damerau_levenshtein elava_admit generate_series getenv getvariable list_resize lpad nextval quack_check_token quack_nop_authorization quack_uri_parser range repeat rpad setseed sleep_ms stats write_log"].assert_eq(&refused.join(" "));
    }

    /// Macros of DuckDB's that read a table by a name that is a value.
    #[test]
    fn no_table_function_reads_what_it_is_told() {
        let connection = Connection::open_in_memory().expect("a database");
        let vocabulary = Vocabulary::load(&connection).expect("functions");
        let sql = "SELECT lower(function_name) FROM duckdb_functions()
            WHERE internal AND function_type = 'table_macro' AND macro_definition ILIKE '%query%'";
        let mut statement = connection.prepare(sql).expect("a statement");
        let names = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
        let names: Vec<String> = names.collect::<Result<_, _>>().expect("texts");
        assert!(names.contains(&"histogram_values".to_owned()), "{names:?}");
        assert!(!names.iter().any(|name| vocabulary.allows_rows_of(name)), "{names:?}");
    }
}

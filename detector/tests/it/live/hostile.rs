//! Statements that must not run.

use std::time::Duration;

use expect_test::expect;

use super::served::{Client, Served};

const LIMIT: Duration = Duration::from_secs(20);

/// Sent as they are.
const REMOTE: &[&str] = &[
    "INSERT INTO migrations VALUES (999, 'x', now())",
    "  insert into migrations select * from migrations",
    "UPDATE changes SET baseline = true",
    "DELETE FROM changes",
    "TRUNCATE changes",
    "MERGE INTO changes USING changes c ON (true) WHEN MATCHED THEN DELETE",
    "DROP TABLE changes",
    "DROP VIEW resources",
    "CREATE TABLE mine (i INTEGER)",
    "CREATE TABLE mine AS SELECT 1",
    "CREATE TEMP TABLE mine (i INTEGER)",
    "CREATE VIEW mine AS SELECT 1",
    "CREATE MACRO elava_admit(a, b) AS b",
    "CREATE OR REPLACE MACRO changes_since(t) AS TABLE SELECT 1",
    "CREATE SECRET s (TYPE quack, TOKEN 'x')",
    "CREATE SEQUENCE mine",
    "CREATE INDEX mine ON changes (scan_id)",
    "CREATE TYPE mine AS ENUM ('a')",
    "ALTER TABLE changes ADD COLUMN x INTEGER",
    "COMMENT ON TABLE changes IS 'x'",
    "COPY changes TO '/tmp/elava-hostile.csv'",
    "COPY (SELECT 1) TO '/tmp/elava-hostile.csv'",
    "COPY changes FROM '/etc/passwd'",
    "COPY FROM DATABASE history TO elava_results",
    "EXPORT DATABASE '/tmp/elava-hostile'",
    "IMPORT DATABASE '/tmp/elava-hostile'",
    "ATTACH '/tmp/elava-hostile.duckdb' AS other",
    "ATTACH ':memory:' AS other",
    "DETACH elava_results",
    "USE elava_results",
    "SET memory_limit = '100GB'",
    "SET GLOBAL quack_authorization_function = 'quack_nop_authorization'",
    "RESET lock_configuration",
    "SET VARIABLE x = 1",
    "PRAGMA disable_checkpoint_on_shutdown",
    "PRAGMA memory_limit = '100GB'",
    "LOAD httpfs",
    "INSTALL httpfs",
    "CHECKPOINT",
    "FORCE CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "CALL quack_stop('quack:localhost')",
    "CALL quack_serve('quack:localhost:9', token = 'abcdabcdabcdabcd')",
    "CALL enable_logging()",
    "FROM checkpoint()",
    "FROM enable_logging()",
    "FROM quack_stop('quack:localhost')",
    "FROM quack_active_connections()",
    "FROM quack_query('quack:localhost', 'SELECT 1')",
    "PREPARE p AS DELETE FROM changes",
    "EXECUTE p",
    "DEALLOCATE p",
    "SELECT 1; DROP TABLE changes",
    "SELECT 1;; DELETE FROM changes; --",
    "SELECT 1) AS x; DROP TABLE changes; SELECT (1",
    "EXPLAIN ANALYZE DELETE FROM changes",
    "EXPLAIN ANALYZE CREATE TABLE mine AS SELECT 1",
    "WITH gone AS (DELETE FROM changes RETURNING *) FROM gone",
    "SELECT getenv('HOME')",
    "SELECT nextval('s')",
    "SELECT setseed(0.5)",
    "SELECT write_log('x')",
    "SELECT sleep_ms(100000)",
    "SELECT repeat('x', 4000000000)",
    "SELECT quack_check_token('a', 'b', 'b')",
    "SELECT elava_admit('a', 'DROP TABLE changes')",
    "FROM read_csv('/etc/passwd')",
    "FROM read_text('/etc/passwd')",
    "FROM read_blob('/etc/passwd')",
    "FROM read_json('/etc/passwd')",
    "FROM read_parquet('/tmp/x.parquet')",
    "FROM read_duckdb('/tmp/x.duckdb')",
    "FROM sniff_csv('/etc/passwd')",
    "FROM glob('/**')",
    "FROM '/etc/passwd'",
    "FROM '/tmp/x.parquet'",
    "FROM 'https://example.com/x.csv'",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "FROM resources WHERE id IN (SELECT content FROM read_text('/etc/passwd'))",
    "FROM query('DELETE FROM changes')",
    "FROM query_table('changes')",
    "FROM histogram_values('elava_results.main.result_1', a)",
    "FROM histogram('changes', scan_id)",
    "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "FROM arrow_scan(1, 2, 3)",
    "FROM seq_scan()",
    "FROM duckdb_secrets()",
    "FROM duckdb_logs",
    "FROM duckdb_settings()",
    "FROM sql_auto_complete('SEL')",
    "FROM elava_results.main.result_1",
    "SUMMARIZE elava_results.main.result_1",
    "DESCRIBE (FROM read_text('/etc/passwd'))",
    "",
    "nonsense",
];

/// Run by the client, which makes of them what it likes.
const LOCAL: &[&str] = &[
    "INSERT INTO elava.main.migrations VALUES (999, 'x', now())",
    "UPDATE elava.main.changes SET baseline = true",
    "DELETE FROM elava.main.changes",
    "DROP TABLE elava.main.changes",
    "CREATE TABLE elava.main.mine (i INTEGER)",
    "CREATE TABLE elava.main.mine AS SELECT 1",
    "CREATE VIEW elava.main.mine AS SELECT 1",
    "CREATE SCHEMA elava.mine",
    "ALTER TABLE elava.main.changes ADD COLUMN x INTEGER",
];

/// Everything that could have been changed.
fn state(client: &mut Client) -> Vec<String> {
    ["FROM duckdb_tables()", "FROM duckdb_views()", "SELECT count(*), bit_xor(hash(c)) FROM changes c",
        "FROM migrations", "SELECT function_name, macro_definition FROM duckdb_functions() WHERE NOT internal ORDER BY ALL",
        "FROM duckdb_schemas() ORDER BY ALL", "FROM duckdb_indexes()", "FROM duckdb_types() WHERE NOT internal",
        "SELECT current_setting('memory_limit'), current_setting('lock_configuration'), current_setting('quack_authorization_function')"]
        .into_iter()
        .map(|sql| client.remote(sql).expect(sql).to_string())
        .collect()
}

#[test]
fn hostile_statements_change_nothing() {
    let mut served = Served::new(LIMIT);
    let mut client = served.client();
    let before = state(&mut client);
    let mut told = String::new();
    for sql in REMOTE {
        let error = client.remote(sql).expect_err(sql);
        told += &format!("{sql} => {}\n", error.lines().next().unwrap_or_default());
        assert!(!error.contains("root:"), "{error}");
    }
    for sql in LOCAL {
        client.sql(sql).expect_err(sql);
    }
    assert_eq!(state(&mut client), before);
    assert!(!std::path::Path::new("/tmp/elava-hostile.csv").exists());
    assert_eq!(served.bench.sql("SELECT count(*) FROM changes").trim(), "2");
    expect![[r#"
        INSERT INTO migrations VALUES (999, 'x', now()) => Invalid Input Error: Authorization failed
          insert into migrations select * from migrations => Invalid Input Error: Authorization failed
        UPDATE changes SET baseline = true => Invalid Input Error: Authorization failed
        DELETE FROM changes => Invalid Input Error: Authorization failed
        TRUNCATE changes => Invalid Input Error: Authorization failed
        MERGE INTO changes USING changes c ON (true) WHEN MATCHED THEN DELETE => Invalid Input Error: Authorization failed
        DROP TABLE changes => Invalid Input Error: Authorization failed
        DROP VIEW resources => Invalid Input Error: Authorization failed
        CREATE TABLE mine (i INTEGER) => Invalid Input Error: Authorization failed
        CREATE TABLE mine AS SELECT 1 => Invalid Input Error: Authorization failed
        CREATE TEMP TABLE mine (i INTEGER) => Invalid Input Error: Authorization failed
        CREATE VIEW mine AS SELECT 1 => Invalid Input Error: Authorization failed
        CREATE MACRO elava_admit(a, b) AS b => Invalid Input Error: Authorization failed
        CREATE OR REPLACE MACRO changes_since(t) AS TABLE SELECT 1 => Invalid Input Error: Authorization failed
        CREATE SECRET s (TYPE quack, TOKEN 'x') => Invalid Input Error: Authorization failed
        CREATE SEQUENCE mine => Invalid Input Error: Authorization failed
        CREATE INDEX mine ON changes (scan_id) => Invalid Input Error: Authorization failed
        CREATE TYPE mine AS ENUM ('a') => Invalid Input Error: Authorization failed
        ALTER TABLE changes ADD COLUMN x INTEGER => Invalid Input Error: Authorization failed
        COMMENT ON TABLE changes IS 'x' => Invalid Input Error: Authorization failed
        COPY changes TO '/tmp/elava-hostile.csv' => Invalid Input Error: Authorization failed
        COPY (SELECT 1) TO '/tmp/elava-hostile.csv' => Invalid Input Error: Authorization failed
        COPY changes FROM '/etc/passwd' => Invalid Input Error: Authorization failed
        COPY FROM DATABASE history TO elava_results => Invalid Input Error: Authorization failed
        EXPORT DATABASE '/tmp/elava-hostile' => Invalid Input Error: Authorization failed
        IMPORT DATABASE '/tmp/elava-hostile' => Invalid Input Error: Authorization failed
        ATTACH '/tmp/elava-hostile.duckdb' AS other => Invalid Input Error: Authorization failed
        ATTACH ':memory:' AS other => Invalid Input Error: Authorization failed
        DETACH elava_results => Invalid Input Error: Authorization failed
        USE elava_results => Invalid Input Error: Authorization failed
        SET memory_limit = '100GB' => Invalid Input Error: Authorization failed
        SET GLOBAL quack_authorization_function = 'quack_nop_authorization' => Invalid Input Error: Authorization failed
        RESET lock_configuration => Invalid Input Error: Authorization failed
        SET VARIABLE x = 1 => Invalid Input Error: Authorization failed
        PRAGMA disable_checkpoint_on_shutdown => Invalid Input Error: Authorization failed
        PRAGMA memory_limit = '100GB' => Invalid Input Error: Authorization failed
        LOAD httpfs => Invalid Input Error: Authorization failed
        INSTALL httpfs => Invalid Input Error: Authorization failed
        CHECKPOINT => Invalid Input Error: Authorization failed
        FORCE CHECKPOINT => Invalid Input Error: Authorization failed
        VACUUM => Invalid Input Error: Authorization failed
        ANALYZE => Invalid Input Error: Authorization failed
        CALL quack_stop('quack:localhost') => Invalid Input Error: Authorization failed
        CALL quack_serve('quack:localhost:9', token = 'abcdabcdabcdabcd') => Invalid Input Error: Authorization failed
        CALL enable_logging() => Invalid Input Error: Authorization failed
        FROM checkpoint() => Invalid Input Error: rows of checkpoint() are not served; the history's tables, views and macros are
        FROM enable_logging() => Invalid Input Error: rows of enable_logging() are not served; the history's tables, views and macros are
        FROM quack_stop('quack:localhost') => Invalid Input Error: rows of quack_stop() are not served; the history's tables, views and macros are
        FROM quack_active_connections() => Invalid Input Error: rows of quack_active_connections() are not served; the history's tables, views and macros are
        FROM quack_query('quack:localhost', 'SELECT 1') => Invalid Input Error: rows of quack_query() are not served; the history's tables, views and macros are
        PREPARE p AS DELETE FROM changes => Invalid Input Error: Authorization failed
        EXECUTE p => Invalid Input Error: Authorization failed
        DEALLOCATE p => Invalid Input Error: Authorization failed
        SELECT 1; DROP TABLE changes => Invalid Input Error: Authorization failed
        SELECT 1;; DELETE FROM changes; -- => Invalid Input Error: Authorization failed
        SELECT 1) AS x; DROP TABLE changes; SELECT (1 => Invalid Input Error: syntax error at or near ")"
        EXPLAIN ANALYZE DELETE FROM changes => Invalid Input Error: Authorization failed
        EXPLAIN ANALYZE CREATE TABLE mine AS SELECT 1 => Invalid Input Error: Authorization failed
        WITH gone AS (DELETE FROM changes RETURNING *) FROM gone => Invalid Input Error: A CTE needs a SELECT
        SELECT getenv('HOME') => Invalid Input Error: the function getenv() is not served
        SELECT nextval('s') => Invalid Input Error: the function nextval() is not served
        SELECT setseed(0.5) => Invalid Input Error: the function setseed() is not served
        SELECT write_log('x') => Invalid Input Error: the function write_log() is not served
        SELECT sleep_ms(100000) => Invalid Input Error: the function sleep_ms() is not served
        SELECT repeat('x', 4000000000) => Invalid Input Error: the function repeat() is not served
        SELECT quack_check_token('a', 'b', 'b') => Invalid Input Error: the function quack_check_token() is not served
        SELECT elava_admit('a', 'DROP TABLE changes') => Invalid Input Error: the function elava_admit() is not served
        FROM read_csv('/etc/passwd') => Invalid Input Error: rows of read_csv() are not served; the history's tables, views and macros are
        FROM read_text('/etc/passwd') => Invalid Input Error: rows of read_text() are not served; the history's tables, views and macros are
        FROM read_blob('/etc/passwd') => Invalid Input Error: rows of read_blob() are not served; the history's tables, views and macros are
        FROM read_json('/etc/passwd') => Invalid Input Error: rows of read_json() are not served; the history's tables, views and macros are
        FROM read_parquet('/tmp/x.parquet') => Invalid Input Error: rows of read_parquet() are not served; the history's tables, views and macros are
        FROM read_duckdb('/tmp/x.duckdb') => Invalid Input Error: rows of read_duckdb() are not served; the history's tables, views and macros are
        FROM sniff_csv('/etc/passwd') => Invalid Input Error: rows of sniff_csv() are not served; the history's tables, views and macros are
        FROM glob('/**') => Invalid Input Error: rows of glob() are not served; the history's tables, views and macros are
        FROM '/etc/passwd' => Invalid Input Error: Catalog Error: Table with name /etc/passwd does not exist!
        FROM '/tmp/x.parquet' => Invalid Input Error: rows of /tmp/x.parquet are not served; the history's tables, views and macros are
        FROM 'https://example.com/x.csv' => Invalid Input Error: rows of https://example.com/x.csv are not served; the history's tables, views and macros are
        SELECT (SELECT content FROM read_text('/etc/passwd')) => Invalid Input Error: rows of read_text() are not served; the history's tables, views and macros are
        FROM resources WHERE id IN (SELECT content FROM read_text('/etc/passwd')) => Invalid Input Error: rows of read_text() are not served; the history's tables, views and macros are
        FROM query('DELETE FROM changes') => Invalid Input Error: rows of query() are not served; the history's tables, views and macros are
        FROM query_table('changes') => Invalid Input Error: rows of query_table() are not served; the history's tables, views and macros are
        FROM histogram_values('elava_results.main.result_1', a) => Invalid Input Error: rows of histogram_values() are not served; the history's tables, views and macros are
        FROM histogram('changes', scan_id) => Invalid Input Error: rows of histogram() are not served; the history's tables, views and macros are
        FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1')) => Invalid Input Error: rows of json_execute_serialized_sql() are not served; the history's tables, views and macros are
        FROM arrow_scan(1, 2, 3) => Invalid Input Error: rows of arrow_scan() are not served; the history's tables, views and macros are
        FROM seq_scan() => Invalid Input Error: rows of seq_scan() are not served; the history's tables, views and macros are
        FROM duckdb_secrets() => Invalid Input Error: rows of duckdb_secrets() are not served; the history's tables, views and macros are
        FROM duckdb_logs => Invalid Input Error: rows of duckdb_logs are not served; the history's tables, views and macros are
        FROM duckdb_settings() => Invalid Input Error: rows of duckdb_settings() are not served; the history's tables, views and macros are
        FROM sql_auto_complete('SEL') => Invalid Input Error: rows of sql_auto_complete() are not served; the history's tables, views and macros are
        FROM elava_results.main.result_1 => Invalid Input Error: rows of result_1 are not served; the history's tables, views and macros are
        SUMMARIZE elava_results.main.result_1 => Invalid Input Error: rows of result_1 are not served; the history's tables, views and macros are
        DESCRIBE (FROM read_text('/etc/passwd')) => Invalid Input Error: rows of read_text() are not served; the history's tables, views and macros are
         => Invalid Input Error: one statement at a time
        nonsense => Invalid Input Error: syntax error at or near "nonsense"
    "#]].assert_eq(&told);
}

/// Files that DuckDB could reach, because exports are written there.
const FILES: &[&str] = &[
    "FROM 'LAKE/about/*.parquet'",
    "FROM \"LAKE/about/FILE\".parquet",
    "FROM main.\"LAKE/about/FILE.parquet\"",
    "FROM history.main.\"LAKE/about/FILE.parquet\"",
    "FROM history.\"LAKE/about/FILE\".parquet",
    "FROM 'file://LAKE/about/FILE.parquet'",
    "FROM 'LAKE/../copy.duckdb'",
    "FROM 'LAKE/export.json'",
    "FROM read_parquet('LAKE/about/FILE.parquet')",
    "FROM parquet_metadata('LAKE/about/FILE.parquet')",
    "FROM read_text('LAKE/history.sql')",
    "FROM read_duckdb('COPY')",
    "FROM glob('LAKE/*')",
    "FROM query_table('LAKE/about/FILE.parquet')",
    "FROM histogram_values('LAKE/about/FILE.parquet', history_id)",
    "WITH one AS (FROM 'LAKE/about/FILE.parquet') FROM one",
    "SELECT (SELECT count(*) FROM 'LAKE/about/FILE.parquet')",
    "FROM resources WHERE id IN (SELECT history_id FROM 'LAKE/about/FILE.parquet')",
    "FROM resources JOIN 'LAKE/about/FILE.parquet' ON true",
    "DESCRIBE 'LAKE/about/FILE.parquet'",
    "SUMMARIZE 'LAKE/about/FILE.parquet'",
    "PIVOT 'LAKE/about/FILE.parquet' ON history_id IN ('a')",
    "EXPLAIN FROM 'LAKE/about/FILE.parquet'",
    "FROM 'COPY'",
    "ATTACH 'COPY' AS other",
    "COPY changes TO 'LAKE/mine.parquet'",
    "COPY changes TO 'LAKE/mine.csv'",
    "COPY FROM DATABASE history TO elava_export",
    "EXPORT DATABASE 'LAKE/mine'",
    "FROM elava_export.changes",
];

#[test]
fn exports_are_written_while_sql_is_served_and_not_read_by_it() {
    let mut served = Served::new(LIMIT);
    let mut client = served.client();
    served.bench.export("lake").expect("a folder");
    served.bench.export("copy.duckdb").expect("a copy");
    let (lake, copy) = (served.bench.exported("lake"), served.bench.exported("copy.duckdb"));
    let begun = lake.join("about").read_dir().expect("a folder").next().expect("a file").expect("an entry").path();
    let file = begun.file_stem().expect("a name").to_string_lossy().into_owned();
    for sql in FILES {
        let sql = sql.replace("LAKE", &lake.display().to_string());
        let sql = sql.replace("FILE", &file).replace("'COPY'", &format!("'{}'", copy.display()));
        let error = client.remote(&sql).expect_err(&sql);
        let ours = ["are not served", "Authorization failed"].iter().any(|why| error.contains(why));
        assert!(ours, "it is the judge who says so: {sql}: {error}");
    }
    let names = |folder: &std::path::Path| folder.read_dir().expect("a folder").count();
    assert_eq!((names(&lake.join("..")), lake.join("mine.csv").exists()), (2, false));
    assert_eq!(client.remote("SELECT count(*) FROM resources"), Ok(serde_json::json!([[2]])));
    served.bench.export("again.duckdb").expect("another copy");
    served.bench.stop();
    let count = |path| {
        duckdb::Connection::open(path)
            .and_then(|copy| copy.query_row("SELECT count(*) FROM changes", [], |row| row.get::<_, i64>(0)))
    };
    assert_eq!(count(&copy).expect("a history"), 2);
}

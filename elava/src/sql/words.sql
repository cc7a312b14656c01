-- What can be completed: macros of tables with their parenthesis, tables and views, columns.
SELECT DISTINCT function_name || '(' AS word FROM duckdb_functions()
WHERE function_type = 'table_macro' AND NOT internal AND database_name = current_database()
UNION SELECT table_name FROM duckdb_tables() WHERE NOT internal
UNION SELECT view_name FROM duckdb_views() WHERE NOT internal
UNION SELECT column_name FROM duckdb_columns() WHERE NOT internal AND database_name = current_database()
ORDER BY word

-- Every table and view of the history, and those of DuckDB that describe it.
SELECT lower(table_name) FROM duckdb_tables() WHERE database_name = current_database()
UNION
SELECT lower(view_name) FROM duckdb_views() WHERE internal OR database_name = current_database();

-- What no table or view may be called any more.
SELECT lower(table_name) FROM duckdb_tables()
UNION
SELECT lower(view_name) FROM duckdb_views()

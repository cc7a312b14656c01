-- A client reads these to learn what there is: only the history, not the results of others.
CREATE TEMP MACRO duckdb_tables() AS TABLE
FROM system.main.duckdb_tables() WHERE database_name = current_database();
CREATE TEMP MACRO duckdb_views() AS TABLE
FROM system.main.duckdb_views() WHERE database_name = current_database() AND NOT internal;

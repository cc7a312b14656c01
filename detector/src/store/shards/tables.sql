-- The tables of a history, but for those that are made of others.
SELECT table_name FROM duckdb_tables() WHERE database_name = 'shard_0' AND schema_name = 'main' ORDER BY table_name

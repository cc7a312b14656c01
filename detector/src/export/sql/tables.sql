SELECT CASE WHEN schema_name = 'main' THEN table_name ELSE schema_name || '.' || table_name END
FROM duckdb_tables()
WHERE database_name = current_database()
ORDER BY ALL

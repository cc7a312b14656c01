-- Columns mean what they mean in closed. Gives the statements that write it beside them.
SELECT format('COMMENT ON COLUMN lives.{}.{} IS ''{}''', l.table_name, l.column_name, replace(c.comment, '''', ''''''))
FROM duckdb_columns() l
JOIN duckdb_columns() c USING (database_name, column_name)
WHERE l.database_name = current_database() AND l.schema_name = 'lives' AND l.comment IS NULL
    AND c.schema_name = 'main' AND c.table_name = 'closed' AND c.comment IS NOT NULL
ORDER BY ALL

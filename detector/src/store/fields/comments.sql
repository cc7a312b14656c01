-- What the columns of one type mean: an attribute its path, all others what they mean in resources. Gives the
-- statements that write it beside the columns.
SELECT format(
    'COMMENT ON COLUMN {}."{}"."{}" IS ''{}''', c.schema_name, c.table_name, c.column_name,
    replace(coalesce(f.path, r.comment), '''', '''''')
)
FROM fields.types t
JOIN duckdb_columns() c ON c.table_name = t.name AND c.schema_name IN ('main', 'fields')
LEFT JOIN fields.columns f ON f.type = t.type AND f.name = c.column_name
LEFT JOIN duckdb_columns() r
    ON r.table_name = 'resources' AND r.column_name = c.column_name
    AND r.database_name = c.database_name AND r.schema_name = 'main'
WHERE t.type = ? AND c.database_name = current_database() AND c.comment IS NULL AND coalesce(f.path, r.comment) IS NOT NULL

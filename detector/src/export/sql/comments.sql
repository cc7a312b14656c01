SELECT format('COMMENT ON VIEW {} IS ''{}'';', table_name, replace(comment, '''', ''''''))
FROM duckdb_tables()
WHERE database_name = current_database() AND table_name IN ($tables)
UNION ALL
(
    SELECT format('COMMENT ON COLUMN {}."{}" IS ''{}'';', table_name, column_name, replace(comment, '''', ''''''))
    FROM duckdb_columns()
    WHERE database_name = current_database() AND schema_name = 'main' AND NOT internal AND comment IS NOT NULL
        AND (
            table_name IN ($tables)
            -- the tables of types are not in Parquet, and storage is of a file
            OR table_name IN (
                SELECT view_name FROM duckdb_views()
                WHERE database_name = current_database()
                    AND view_name NOT IN (SELECT name FROM fields.types) AND view_name <> 'storage'
            )
        )
    ORDER BY table_name, column_index
)

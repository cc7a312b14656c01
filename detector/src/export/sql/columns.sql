-- Of every table: its columns as Parquet has them, and as they are read back. What Parquet has no type for, or
-- some readers do not know, is text.
SELECT
    table_name,
    string_agg(
        CASE data_type
            WHEN 'UHUGEINT' THEN format('version_text("{0}") AS "{0}"', column_name)
            WHEN 'JSON' THEN format('"{0}"::VARCHAR AS "{0}"', column_name)
            WHEN 'UUID' THEN format('"{0}"::VARCHAR AS "{0}"', column_name)
            ELSE format('"{}"', column_name)
        END,
        ', ' ORDER BY column_index
    ),
    string_agg(
        CASE data_type
            WHEN 'UHUGEINT' THEN format('version_number("{0}") AS "{0}"', column_name)
            WHEN 'JSON' THEN format('"{0}"::JSON AS "{0}"', column_name)
            WHEN 'UUID' THEN format('"{0}"::UUID AS "{0}"', column_name)
            ELSE format('"{}"', column_name)
        END,
        ', ' ORDER BY column_index
    )
FROM duckdb_columns()
WHERE database_name = current_database() AND schema_name = 'main' AND NOT internal
GROUP BY table_name

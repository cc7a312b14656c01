-- Of every table: its columns as Parquet has them, and as they are read back. What Parquet has no type for, or
-- some readers do not know, is text; what another column says as well is made of that one.
SELECT
    table_name,
    string_agg(
        CASE data_type
            WHEN 'JSON' THEN format('"{0}"::VARCHAR AS "{0}"', column_name)
            WHEN 'UUID' THEN format('"{0}"::VARCHAR AS "{0}"', column_name)
            ELSE format('"{}"', column_name)
        END,
        ', ' ORDER BY column_index
    ) FILTER (column_name <> 'tags_text'),
    string_agg(
        CASE
            WHEN column_name = 'tags_text' THEN 'tags::JSON::VARCHAR AS tags_text'
            WHEN data_type = 'JSON' THEN format('"{0}"::JSON AS "{0}"', column_name)
            WHEN data_type = 'UUID' THEN format('"{0}"::UUID AS "{0}"', column_name)
            ELSE format('"{}"', column_name)
        END,
        ', ' ORDER BY column_index
    )
FROM duckdb_columns()
WHERE database_name = current_database() AND schema_name = 'main' AND NOT internal
GROUP BY table_name

-- What DuckDB's memory is taken for, in MB, most first.
SELECT string_agg(format('{} {:.0f}', lower(tag), memory_usage_bytes / 1e6), ', ' ORDER BY memory_usage_bytes DESC)
FROM duckdb_memory()
WHERE memory_usage_bytes >= 1e6

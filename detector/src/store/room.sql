-- Whether what statements and sorting hold of DuckDB's memory, which it cannot put on disk at will as it can blocks of
-- tables, leaves a quarter: more than a batch of detection takes.
SELECT coalesce(sum(memory_usage_bytes), 0) <= 0.75 * parse_formatted_bytes(current_setting('memory_limit'))
FROM duckdb_memory()
WHERE tag NOT IN ('BASE_TABLE', 'IN_MEMORY_TABLE', 'METADATA')

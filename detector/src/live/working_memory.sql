-- Memory that statements work in; pages of the file and results can be evicted at any time.
SELECT coalesce(sum(memory_usage_bytes), 0)::UBIGINT FROM duckdb_memory()
WHERE tag NOT IN ('BASE_TABLE', 'METADATA', 'ART_INDEX', 'IN_MEMORY_TABLE', 'EXTERNAL_FILE_CACHE');

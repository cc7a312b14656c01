-- The views of resource types, each with the shards that have it.
SELECT view_name, string_agg(database_name, ',' ORDER BY database_name)
FROM duckdb_views()
WHERE starts_with(database_name, 'shard_') AND NOT internal
    AND view_name NOT IN (SELECT view_name FROM duckdb_views() WHERE database_name = current_database())
    AND view_name <> 'storage'
GROUP BY view_name
ORDER BY view_name

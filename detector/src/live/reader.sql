-- A client reads these to learn what there is: only the history, not the results of others.
CREATE TEMP MACRO duckdb_tables() AS TABLE
FROM system.main.duckdb_tables() WHERE database_name = current_database();
CREATE TEMP MACRO duckdb_views() AS TABLE
FROM system.main.duckdb_views() WHERE database_name = current_database() AND NOT internal;
-- The macros of these names as functions of ours (native.rs).
CREATE TEMP MACRO instant(t) AS (
    CASE
        WHEN typeof(t) = 'INTERVAL' THEN present() - try_cast(t::VARCHAR AS INTERVAL)
        ELSE elava_instant(t::VARCHAR, present())
    END
);
CREATE TEMP MACRO named(key_or_id) AS TABLE
SELECT resource_id, key, provider, account, region, type, id
FROM keys
WHERE id_hash = md5_number_lower(elava_last_part(key_or_id)) AND (key = key_or_id OR id = key_or_id);

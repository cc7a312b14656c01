-- Reads this history with DuckDB 1.5 or later: `duckdb -init history.sql` in this folder. From elsewhere, say first
-- where it is; an address of an object store will do:
--
--   SET VARIABLE history = '/data/history';   -- or 's3://bucket/history', 'https://host/history'
--   .read /data/history/history.sql
--
-- It shows the moment of the last export, and is to be read again after the next one, in each connection.
SET TimeZone = 'UTC';
SET VARIABLE history = rtrim(coalesce(getvariable('history'), '.'), '/');
-- The files that each export.json names, by table; last one without rows.
SET VARIABLE history_files = (
    SELECT map_from_entries(list(("table", files)))
    FROM (
        SELECT
            "table",
            flatten(list(list_transform(
                CASE WHEN content.mark IS NULL AND len(content.files) > 0
                    THEN content.files
                    ELSE content.files || ['schema/' || "table" || '.parquet']
                END,
                lambda file: regexp_replace(manifest, '[^/]*$', '') || file
            ) ORDER BY manifest)) AS files
        FROM (
            SELECT filename AS manifest, unnest(map_keys(tables)) AS "table", unnest(map_values(tables)) AS content
            FROM read_json(
                getvariable('history') || '/$manifests',
                columns := {tables: 'MAP(VARCHAR, STRUCT(mark UBIGINT, files VARCHAR[]))'},
                filename := true
            )
        )
        GROUP BY "table"
    )
);

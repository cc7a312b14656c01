CREATE OR REPLACE VIEW $table AS
SELECT $columns
FROM read_parquet(getvariable('history_files')['$table'], hive_partitioning := false);

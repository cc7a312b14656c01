-- A row group is gathered in memory: small ones, for attributes may be long.
COPY (
$rows
) TO '$file' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 8192, RETURN_STATS)

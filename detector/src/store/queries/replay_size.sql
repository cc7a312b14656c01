-- DuckDB holds what one answer is made of several times over
SELECT
    sum(versions)::BIGINT AS versions,
    greatest(1, ceil(sum(versions) / 4000), ceil(sum(bytes) / 8000000))::INTEGER AS parts
FROM replay_size($1, $2, $3, $4, $5)

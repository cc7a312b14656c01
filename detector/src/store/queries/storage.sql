SELECT part, sum(rows)::BIGINT AS rows, sum(bytes)::BIGINT AS bytes, round(sum(bytes) / sum(rows), 1) AS bytes_per_row
FROM storage
GROUP BY part
ORDER BY min(place), sum(bytes) DESC, part

SELECT exception, count(*) AS findings, count(DISTINCT resource_id) AS resources
FROM suppressed
GROUP BY exception
ORDER BY exception

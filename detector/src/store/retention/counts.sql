SELECT type, (count(*) FILTER (goes))::UBIGINT, (count(*) FILTER (NOT goes))::UBIGINT
FROM thinning
GROUP BY type
ORDER BY type

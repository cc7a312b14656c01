-- Spans of $2 seconds, of which one begins on a Monday at midnight (UTC); a span without changes has no row.
SELECT
    rfc3339(time_bucket(to_seconds($2), detected_at AT TIME ZONE 'UTC', TIMESTAMP '2000-01-03') AT TIME ZONE 'UTC')
        AS begins_at,
    change AS type,
    count(*) AS changes
FROM changes_since($1)
WHERE NOT baseline AND in_scope(account, region, type, $3, $4, $5)
GROUP BY begins_at, change
ORDER BY begins_at, change

SELECT
    provider, account, region, type, rfc3339(last_complete_at) AS last_complete_at,
    epoch(age) AS age_seconds, rfc3339(last_scan_at) AS last_scan_at, last_outcome, last_errors AS errors, scans
FROM coverage
WHERE in_scope(account, region, type, $1, $2, $3)
    -- never seen whole is older than anything
    AND ($4 IS NULL OR coalesce(last_complete_at < instant($4), true))
ORDER BY provider, account, region, type

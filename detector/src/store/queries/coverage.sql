SELECT
    provider, account, region, type, rfc3339(last_complete_at) AS last_complete_at,
    epoch(age) AS age_seconds, rfc3339(last_scan_at) AS last_scan_at, last_outcome, last_errors AS errors, scans
FROM coverage
ORDER BY provider, account, region, type

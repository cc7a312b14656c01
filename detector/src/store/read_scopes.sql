SELECT
    provider, account, region, type,
    epoch_us(max(started_at) FILTER (verdict = 'proved')),
    arg_max(scan_id, finished_at)
FROM scans
GROUP BY provider, account, region, type

SELECT
    provider, account, region, type,
    epoch_us(max(started_at) FILTER (verdict = 'proved')),
    epoch_us(max(started_at)),
    -- the latest last
    list_reverse(arg_max(scan_id, finished_at, $remembered))::JSON::VARCHAR
FROM scans
GROUP BY provider, account, region, type

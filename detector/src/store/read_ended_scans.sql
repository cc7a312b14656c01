SELECT DISTINCT scan_id, provider, account, region, type
FROM scans
WHERE scan_id IN (SELECT unnest(?::JSON::VARCHAR[]))

SELECT
    rfc3339(detected_at) AS detected_at, change AS type, key, account, region, type AS resource_type, details,
    cause ->> 'principal' AS principal, baseline, diff, cause, scan_id, previous_version, current_version, change_id AS id
FROM change_log
WHERE detected_at >= instant($1) AND detected_at < instant($2)
    AND in_scope(account, region, type, $3, $4, $5)
    AND ($6 IS NULL OR change IN (SELECT unnest($6::JSON::VARCHAR[])))
    AND ($7::BOOLEAN OR NOT baseline)
ORDER BY change_log.detected_at DESC, key, change
LIMIT $8::BIGINT

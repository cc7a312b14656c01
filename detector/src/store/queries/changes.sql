SELECT
    rfc3339(detected_at) AS detected_at, change AS type, key, region, type AS resource_type, details, baseline, diff, scan_id,
    previous_version, current_version, change_id AS id
FROM change_log
WHERE detected_at >= utc(?::BIGINT) AND (?::BOOLEAN OR NOT baseline)
ORDER BY change_log.detected_at DESC, key, change
LIMIT ?::BIGINT

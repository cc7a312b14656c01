SELECT
    key, version, rfc3339(valid_from) AS valid_from, rfc3339(valid_to) AS valid_to, ended_by,
    rfc3339(first_seen) AS first_seen, rfc3339(last_seen) AS last_seen,
    name, arn, status, tags, tags_carried, rfc3339(created_at) AS created_at,
    monthly_cost_usd, monthly_cost_source, attributes, relations, scan_id
FROM history($1)

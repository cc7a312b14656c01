SELECT
    key, provider, account, region, type, id, name, status, tags, monthly_cost_usd, version,
    rfc3339(first_seen) AS first_seen, rfc3339(last_seen) AS last_seen
FROM resources
ORDER BY key
LIMIT ?::BIGINT

SELECT
    key, provider, account, region, type, id, name, status, tags, monthly_cost_usd, version,
    rfc3339(valid_from) AS valid_from, rfc3339(first_seen) AS first_seen
FROM resources_at($1)
WHERE in_scope(account, region, type, $2, $3, $4) AND has_tags(tags, $5)
ORDER BY key
LIMIT $6::BIGINT

SELECT
    key, account, region, type, name, status, tags, monthly_cost_usd, policy, rule, message, suggestion,
    rfc3339(opened_at) AS opened_at, rfc3339(first_seen) AS first_seen
FROM orphans
WHERE in_scope(account, region, type, $1, $2, $3)
ORDER BY monthly_cost_usd DESC NULLS LAST, key, policy, rule

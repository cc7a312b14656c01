SELECT
    key, account, region, type, severity, policy, rule, message, suggestion,
    rfc3339(opened_at) AS opened_at, rfc3339(closed_at) AS closed_at
FROM violations_at($1)
WHERE in_scope(account, region, type, $2, $3, $4) AND ($5 IS NULL OR severity = $5)
ORDER BY CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, key, policy, rule

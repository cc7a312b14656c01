SELECT key, severity, policy, rule, message, suggestion, rfc3339(opened_at) AS opened_at
FROM open_violations
ORDER BY CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, key, policy, rule

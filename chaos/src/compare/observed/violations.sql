SELECT k.key, v.policy, v.rule, v.severity, v.message, v.closed_at IS NULL AS is_open
FROM violations v
JOIN keys k USING (resource_id)
WHERE k.account = getvariable('observed')

SELECT k.key, d.action, d.severity, d.state, d.reason
FROM decisions d
JOIN keys k USING (resource_id)
WHERE k.account = getvariable('observed')

SELECT k.key, c.type, c.baseline, c.previous_version, c.current_version, c.diff, c.details
FROM changes c
JOIN keys k USING (resource_id)
WHERE k.account = getvariable('observed')

SELECT c.type || ' ' || k.key || ' ' || c.scan_id
FROM changes c
JOIN keys k USING (resource_id)
WHERE c.type IN ('appeared', 'disappeared') AND k.account <> getvariable('observed')

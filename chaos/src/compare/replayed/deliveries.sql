-- how often and when depends on the day
SELECT k.key, v.id, v.decision_id, v.channel, v.outcome
FROM deliveries v
JOIN decisions d ON d.id = v.decision_id
JOIN keys k USING (resource_id)
WHERE k.account <> getvariable('observed')

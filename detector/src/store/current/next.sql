-- $1: scopes, $2 and $3: from which place on, $4: how many later
SELECT scope, resource_id
FROM current
WHERE scope IN (SELECT unnest(from_json($1, '["VARCHAR"]')))
    AND (scope > $2 OR (scope = $2 AND resource_id >= $3))
ORDER BY scope, resource_id
LIMIT 1 OFFSET $4

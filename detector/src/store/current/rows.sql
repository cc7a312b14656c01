-- $1: scopes, $2 and $3: from which place on, $4 and $5: until before which one, $6: only this key, $7: what time it
-- is. A line a resource, as the macro replay tells how it was at first.
WITH mine AS MATERIALIZED (
    SELECT *
    FROM current
    WHERE scope IN (SELECT unnest(from_json($1, '["VARCHAR"]')))
        AND (scope > $2 OR (scope = $2 AND resource_id >= $3))
        AND ($4 IS NULL OR scope < $4 OR (scope = $4 AND resource_id < $5))
        AND ($6 IS NULL OR key_of(scope, local_id) = $6)
), counted AS (
    SELECT resource_id,
        count(*) FILTER (detected_at > instant($7) - INTERVAL 7 DAYS) AS changes_7d,
        count(*) AS changes_30d
    FROM changes
    WHERE NOT baseline AND detected_at > instant($7) - INTERVAL 30 DAYS AND detected_at <= instant($7)
        AND resource_id IN (SELECT resource_id FROM mine)
    GROUP BY resource_id
), ended AS (
    SELECT e.resource_id, resource_json(
        e.scope, e.local_id, e.name, e.arn, e.status, e.tags, e.created_at, e.monthly_cost_usd, e.monthly_cost_source,
        e.attributes, e.relations
    ) AS resource
    FROM mine m
    -- of the same life: it ended when this one began
    JOIN closed e ON e.resource_id = m.resource_id AND e.valid_to = m.valid_from AND e.first_seen = m.first_seen
    WHERE $previous
    -- of several at one instant the last one
    QUALIFY row_number() OVER (PARTITION BY e.resource_id ORDER BY e.valid_from DESC, e.rowid DESC) = 1
)
SELECT json_object(
    'key', key_of(m.scope, m.local_id), 'step', 'version', 'at', rfc3339(m.valid_from),
    'details', json_object(
        'at_start', true, 'gone', false, 'version', m.version, 'baseline', false,
        'first_seen', rfc3339(m.first_seen), 'changes_7d', coalesce(c.changes_7d, 0),
        'changes_30d', coalesce(c.changes_30d, 0),
        'resource', resource_json(
            m.scope, m.local_id, m.name, m.arn, m.status, m.tags, m.created_at, m.monthly_cost_usd,
            m.monthly_cost_source, m.attributes, m.relations
        ),
        'previous', e.resource
    )
)::VARCHAR
FROM mine m
LEFT JOIN counted c USING (resource_id)
LEFT JOIN ended e USING (resource_id)

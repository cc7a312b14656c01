-- The change, and the versions before and after it, as they were. Both ended, or began, when it was detected: what
-- ended or began before the earliest of these changes is not looked at, and row groups are skipped by it.
WITH wanted AS MATERIALIZED (
    SELECT o.sequence, o.ordinal, o.scope_resources, c.*
    FROM changes c
    JOIN (
        SELECT *
        FROM outbox
        WHERE partition = ? AND sequence > ?
        ORDER BY sequence, ordinal
        LIMIT ? OFFSET ?
    ) o ON o.change_id = c.id
    WHERE c.detected_at >= make_timestamptz($since)
), candidates AS MATERIALIZED (
    SELECT v.*
    FROM (
        SELECT * EXCLUDE (tags_text) REPLACE (attributes::VARCHAR AS attributes, relations::VARCHAR AS relations)
        FROM current
        WHERE valid_from >= make_timestamptz($since)
        UNION ALL
        SELECT * EXCLUDE (closed_in) FROM closed WHERE valid_to >= make_timestamptz($since)
    ) v
    SEMI JOIN wanted USING (resource_id)
), versions AS (
    SELECT
        resource_id, version AS hash, valid_from, valid_to, first_seen,
        json_object(
            'name', name, 'arn', arn, 'status', status, 'tags', tags, 'created_at', rfc3339(created_at),
            'monthly_cost_usd', monthly_cost_usd, 'monthly_cost_source', monthly_cost_source,
            'attributes', attributes::JSON, 'relations', coalesce(relations, '[]')::JSON
        )::VARCHAR AS version
    FROM candidates
), past AS MATERIALIZED (
    SELECT resource_id, detected_at
    FROM changes
    WHERE NOT baseline AND detected_at > make_timestamptz($since) - INTERVAL 30 DAY
        AND resource_id IN (SELECT resource_id FROM wanted)
)
SELECT
    c.sequence, c.id, c.type, c.baseline, key_of(c.scope, c.local_id),
    c.previous_version, c.current_version, c.diff, epoch_us(c.detected_at), c.scan_id,
    c.details, c.earlier_life,
    p.version, n.version, epoch_us(coalesce(n.first_seen, p.first_seen)),
    (SELECT count(*) FROM past h WHERE h.resource_id = c.resource_id
        AND h.detected_at <= c.detected_at AND h.detected_at > c.detected_at - INTERVAL 7 DAY),
    (SELECT count(*) FROM past h WHERE h.resource_id = c.resource_id
        AND h.detected_at <= c.detected_at AND h.detected_at > c.detected_at - INTERVAL 30 DAY),
    c.scope_resources
FROM wanted c
LEFT JOIN versions p ON p.resource_id = c.resource_id AND p.hash = c.previous_version AND p.valid_to = c.detected_at
LEFT JOIN versions n ON n.resource_id = c.resource_id AND n.hash = c.current_version AND n.valid_from = c.detected_at
QUALIFY row_number() OVER (PARTITION BY c.sequence, c.ordinal ORDER BY n.valid_to NULLS LAST) = 1
ORDER BY c.sequence, c.ordinal

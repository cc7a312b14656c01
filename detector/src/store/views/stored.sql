-- Versions as the messages about them have them: one JSON object, without the key.
CREATE OR REPLACE VIEW stored AS
SELECT
    resource_id, version AS hash, valid_from, valid_to, first_seen,
    json_object(
        'name', name, 'arn', arn, 'status', status, 'tags', tags, 'created_at', rfc3339(created_at),
        'monthly_cost_usd', monthly_cost_usd, 'monthly_cost_source', monthly_cost_source,
        'attributes', attributes::JSON, 'relations', coalesce(relations, '[]')::JSON
    )::VARCHAR AS version
FROM all_versions;
COMMENT ON VIEW stored IS 'For the detector itself; read versions';

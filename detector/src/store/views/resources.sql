CREATE OR REPLACE VIEW resources AS
SELECT
    key_of(c.scope, c.local_id) AS key, c.provider, c.account, c.region, c.type,
    id_of(c.local_id) AS id,
    c.version,
    c.name, c.arn, c.status, c.tags, c.tags_carried, c.created_at,
    c.monthly_cost_usd, c.monthly_cost_source,
    c.attributes, c.relations,
    c.valid_from, c.valid_to, c.first_seen, c.last_seen, c.scan_id, c.ended_by, c.resource_id
FROM current c;
COMMENT ON VIEW resources IS 'Every resource that exists now';

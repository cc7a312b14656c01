CREATE OR REPLACE VIEW resources AS
SELECT
    k.key, k.provider, k.account, k.region, k.type, k.id,
    version_text(c.version) AS version,
    c.name, c.arn, c.status, c.tags, c.tags_carried, c.created_at,
    c.monthly_cost_usd, c.monthly_cost_source,
    c.attributes::JSON AS attributes,
    c.relations::JSON AS relations,
    c.valid_from, c.valid_to, c.first_seen, c.last_seen, c.scan_id, c.ended_by, c.resource_id
FROM current c
JOIN keys k USING (resource_id);
COMMENT ON VIEW resources IS 'Every resource that exists now';

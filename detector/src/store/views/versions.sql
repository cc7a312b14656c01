CREATE OR REPLACE VIEW versions AS
SELECT
    key_of(v.scope, v.local_id) AS key, v.provider, v.account, v.region, v.type,
    id_of(v.local_id) AS id,
    v.version,
    v.name, v.arn, v.status, v.tags, v.tags_carried, v.created_at,
    v.monthly_cost_usd, v.monthly_cost_source,
    v.attributes::JSON AS attributes,
    v.relations::JSON AS relations,
    v.valid_from, v.valid_to, v.first_seen, v.last_seen, v.scan_id, v.ended_by, v.resource_id
FROM all_versions v;
COMMENT ON VIEW versions IS 'Every version of every resource; valid_to is null for the current one';

CREATE OR REPLACE VIEW {name} AS
SELECT
    key, provider, account, region, '{type}' AS type, id, name, arn, status, tags, created_at, monthly_cost_usd,
    valid_from, first_seen, {columns} resource_id
FROM fields.{name}
UNION ALL
SELECT
    key, provider, account, region, type, id, name, arn, status, tags, created_at, monthly_cost_usd,
    valid_from, first_seen, {cells} resource_id
FROM fields.recent
WHERE type = '{type}';
COMMENT ON VIEW {name} IS 'Existing resources of type {type}; scalar attributes are columns';

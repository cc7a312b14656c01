CREATE OR REPLACE VIEW orphans AS
SELECT
    v.key, v.provider, v.account, v.region, v.type, v.id,
    c.name, c.status, c.tags, c.monthly_cost_usd,
    v.policy, v.rule, v.message, v.suggestion, v.opened_at, c.first_seen, v.resource_id
FROM open_violations v
JOIN current c USING (resource_id)
WHERE v.policy = 'day2.orphans' OR starts_with(v.policy, 'day2.orphans.');
COMMENT ON VIEW orphans IS
'Existing resources that nobody uses or owns: open violations of day2.orphans and the policies below it';

CREATE OR REPLACE VIEW open_violations AS
SELECT
    k.key, k.provider, k.account, k.region, k.type, k.id,
    v.policy, v.rule, v.severity, v.message, v.suggestion, v.bundle, v.opened_at, v.opened_by, v.resource_id
FROM violations v
JOIN keys k USING (resource_id)
WHERE v.closed_at IS NULL;
COMMENT ON VIEW open_violations IS 'Violations that have not been mended';

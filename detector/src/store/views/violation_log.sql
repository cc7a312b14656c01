CREATE OR REPLACE VIEW violation_log AS
SELECT
    k.key, k.provider, k.account, k.region, k.type, k.id,
    v.policy, v.rule, v.severity, v.message, v.suggestion, v.bundle,
    v.opened_at, v.closed_at, v.opened_by, v.closed_by, v.resource_id
FROM violations v
JOIN keys k USING (resource_id);
COMMENT ON VIEW violation_log IS 'Every violation there was, with the time it was open and the key of its resource';

CREATE OR REPLACE VIEW pending_approvals AS
SELECT
    decision_id, action, severity, reason, key, provider, account, region, type, id, state, finding, decided_at,
    approve_by, is_breaker, resource_id
FROM decision_log
WHERE (requires_approval OR is_breaker)
    AND NOT is_superseded
    AND state NOT IN ('resolved', 'suppressed', 'expired')
    AND (verdict IS NULL OR given_at > approve_by)
    AND outcome IS NULL
    AND (approve_by IS NULL OR approve_by >= present());
COMMENT ON VIEW pending_approvals IS
'Decisions that wait for somebody to say yes: the last of their findings, neither approved nor denied, and still in time';

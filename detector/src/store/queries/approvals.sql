SELECT
    decision_id, action, severity, reason, key, account, region, type, state,
    rfc3339(decided_at) AS decided_at, rfc3339(approve_by) AS approve_by, is_breaker
FROM pending_approvals
WHERE in_scope(account, region, type, $1, $2, $3)
ORDER BY approve_by NULLS LAST, decided_at, decision_id

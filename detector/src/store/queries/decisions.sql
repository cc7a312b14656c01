SELECT
    decision_id, action, severity, reason, key, account, region, type, state, rfc3339(decided_at) AS decided_at,
    requires_approval, rfc3339(approve_by) AS approve_by, approve_by < present() AS is_late, is_breaker, is_superseded,
    verdict, person, why, rfc3339(given_at) AS given_at,
    outcome, error, rfc3339(executed_at) AS executed_at
FROM decision_log
WHERE starts_with(decision_id, $1)
    OR decision_id IN (SELECT e.decision_id FROM executions e WHERE starts_with(e.id, $1))
ORDER BY decided_at DESC, decision_id
LIMIT 20

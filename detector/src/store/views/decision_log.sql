-- What became of each decision. Approvals name no resource and are kept with every shard's decisions.
CREATE OR REPLACE VIEW decision_log AS
WITH newest AS (
    SELECT finding, max(decided_at) AS decided_at FROM decisions GROUP BY finding
), word AS (
    SELECT
        decision_id,
        arg_max(struct_pack(verdict, person, reason, given_at), given_at) FILTER (verdict <> 'undo') AS last,
        max(given_at) FILTER (verdict = 'undo') AS undo_asked_at
    FROM approvals
    GROUP BY decision_id
), done AS (
    -- what is begun and ended within one instant has ended
    SELECT decision_id, arg_max(struct_pack(outcome, error, executed_at), (executed_at, outcome <> 'executing')) AS last
    FROM executions
    GROUP BY decision_id
)
SELECT
    k.key, k.provider, k.account, k.region, k.type, k.id,
    d.id AS decision_id, d.action, d.severity, d.state, d.reason, d.finding, d.decided_at,
    d.requires_approval, d.approve_by, coalesce(d.metadata->>'breaker' = 'true', false) AS is_breaker,
    d.decided_at < n.decided_at AS is_superseded,
    w.last.verdict AS verdict, w.last.person AS person, w.last.reason AS why, w.last.given_at AS given_at,
    w.undo_asked_at, e.last.outcome AS outcome, e.last.error AS error, e.last.executed_at AS executed_at, d.resource_id
FROM decisions d
JOIN keys k USING (resource_id)
JOIN newest n USING (finding)
LEFT JOIN word w ON w.decision_id = d.id
LEFT JOIN done e ON e.decision_id = d.id;
COMMENT ON VIEW decision_log IS
'Every decision with the key of its resource, what people last said of it, and what was last done because of it';

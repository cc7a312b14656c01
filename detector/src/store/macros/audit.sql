CREATE OR REPLACE MACRO audit(key_or_id) AS TABLE
WITH subject AS (
    FROM named(key_or_id)
), decided AS (
    SELECT d.* FROM decisions d SEMI JOIN subject USING (resource_id)
), steps AS (
    SELECT
        resource_id, valid_from AS happened_at, 'observation' AS step,
        concat_ws(', ', 'version ' || version[:8], 'status ' || status, 'name ' || name) AS what,
        version AS step_id, NULL::VARCHAR[] AS caused_by
    FROM all_versions
    SEMI JOIN subject USING (resource_id)
    UNION ALL
    SELECT
        resource_id, detected_at, 'change',
        concat(replace(type, '_', ' '), CASE WHEN baseline THEN ' (first look)' END, ': ', details),
        id, list_filter([current_version], lambda version: version IS NOT NULL)
    FROM changes SEMI JOIN subject USING (resource_id)
    UNION ALL
    SELECT resource_id, opened_at, 'policy result', concat(severity, ' violation of ', policy, ': ', message), opened_by, NULL
    FROM violations SEMI JOIN subject USING (resource_id)
    UNION ALL
    SELECT resource_id, closed_at, 'policy result', concat('no longer a violation of ', policy, ': ', message), closed_by, NULL
    FROM violations SEMI JOIN subject USING (resource_id)
    WHERE closed_at IS NOT NULL
    UNION ALL
    SELECT resource_id, evaluated_at, 'policy result', concat('error in ', policy, ': ', message), result_id, NULL
    FROM policy_errors SEMI JOIN subject USING (resource_id)
    UNION ALL
    SELECT
        resource_id, decided_at, 'decision',
        concat(action, ', ', severity, ', ', state, ': ', reason, CASE WHEN requires_approval THEN ' (needs approval)' END),
        id, caused_by
    FROM decided
    UNION ALL
    SELECT d.resource_id, a.given_at, 'approval', concat_ws(': ', a.verdict || ' by ' || a.person, a.reason), a.id, [a.decision_id]
    FROM approvals a JOIN decided d ON d.id = a.decision_id
    UNION ALL
    SELECT resource_id, executed_at, 'execution', concat_ws(': ', outcome, error), id, [decision_id]
    FROM executions SEMI JOIN subject USING (resource_id)
    UNION ALL
    SELECT
        d.resource_id, l.delivered_at, 'delivery',
        concat(l.outcome, ' to ', l.channel, CASE WHEN l.attempts > 1 THEN ' after ' || l.attempts || ' attempts' END, ': ' || l.error),
        l.id, [l.decision_id]
    FROM deliveries l JOIN decided d ON d.id = l.decision_id
)
SELECT happened_at, step, what, step_id, caused_by, key
FROM steps JOIN subject USING (resource_id)
ORDER BY
    key, happened_at,
    list_position(
        ['observation', 'change', 'policy result', 'decision', 'approval', 'execution', 'delivery'], step
    ),
    what, step_id;
COMMENT ON MACRO TABLE audit IS
'All that is known of one resource, given its key or its bare id, one line each in order: observation, change, policy result, decision, approval, execution, delivery; caused_by holds step ids';

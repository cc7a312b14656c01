-- An id is meant by its beginning too, with or without what stands before its underscore (dec_, fnd_).
CREATE OR REPLACE MACRO begins_with(id, beginning) AS (
    id = beginning
    OR (length(beginning) >= 4 AND (starts_with(id, beginning) OR starts_with(substr(id, strpos(id, '_') + 1), beginning)))
);
COMMENT ON MACRO begins_with IS
'Whether a text is an id or the beginning of one: four characters or more, with or without the part before the underscore';

CREATE OR REPLACE MACRO explanation(key_or_id) AS TABLE
WITH subject AS MATERIALIZED (
    FROM named(key_or_id)
), meant AS MATERIALIZED (
    -- a resource; else whatever else there is of that name
    SELECT 'resource' AS sort, s.key AS meant, d.id AS decision_id, NULL AS change_id, s.resource_id
    FROM subject s
    LEFT JOIN decisions d USING (resource_id)
    UNION ALL
    SELECT * FROM (
        SELECT 'finding', finding, id, NULL, resource_id FROM decisions WHERE begins_with(finding, key_or_id)
        UNION ALL
        SELECT 'decision', id, id, NULL, resource_id FROM decisions WHERE begins_with(id, key_or_id)
        UNION ALL
        SELECT 'execution', id, decision_id, NULL, resource_id FROM executions WHERE begins_with(id, key_or_id)
        UNION ALL
        SELECT 'change', c.id, d.id, c.id, c.resource_id
        FROM changes c
        LEFT JOIN decisions d
            ON d.resource_id = c.resource_id AND (d.decided_at = c.detected_at OR list_contains(d.caused_by, c.id))
        WHERE begins_with(c.id, key_or_id)
    )
    WHERE NOT EXISTS (FROM subject)
), decided AS MATERIALIZED (
    SELECT d.*, next.id AS superseded_by
    FROM decisions d
    ASOF LEFT JOIN decisions next ON next.finding = d.finding AND next.decided_at > d.decided_at
    WHERE d.id IN (SELECT decision_id FROM meant)
), violated AS MATERIALIZED (
    -- by the result that a decision names, or else by what it says of itself
    SELECT DISTINCT d.finding, v.*
    FROM decided d
    JOIN violations v
        ON v.resource_id = d.resource_id
        AND (
            list_has_any(d.caused_by, [v.opened_by, v.closed_by])
            OR (v.opened_at <= d.decided_at AND (v.closed_at IS NULL OR v.closed_at >= d.decided_at))
        )
        AND v.policy = coalesce(d.metadata ->> 'policy', v.policy) AND v.rule = coalesce(d.metadata ->> 'rule', v.rule)
    WHERE coalesce(d.metadata ->> 'cause', 'violation') = 'violation'
    UNION ALL
    -- what nobody has decided about
    SELECT NULL, v.*
    FROM violations v
    WHERE v.resource_id IN (SELECT resource_id FROM subject)
        AND NOT EXISTS (
            FROM decided d
            WHERE d.resource_id = v.resource_id AND list_has_any(d.caused_by, [v.opened_by, v.closed_by])
        )
), judged AS MATERIALIZED (
    -- what is judged is what the last change before left behind
    SELECT v.finding, v.resource_id, c.detected_at
    FROM (
        SELECT finding, resource_id, unnest([opened_at, closed_at]) AS judged_at FROM violated
    ) v
    ASOF JOIN (
        SELECT DISTINCT resource_id, detected_at FROM changes WHERE resource_id IN (SELECT resource_id FROM violated)
    ) c ON c.resource_id = v.resource_id AND c.detected_at <= v.judged_at
), causes AS MATERIALIZED (
    SELECT DISTINCT d.finding, c.*
    FROM decided d
    JOIN changes c
        ON c.resource_id = d.resource_id
        AND (
            list_contains(d.caused_by, c.id)
            OR (coalesce(d.metadata ->> 'cause', 'violation') = 'violation' AND c.detected_at = d.decided_at)
        )
    UNION
    SELECT j.finding, c.*
    FROM judged j
    JOIN changes c ON c.resource_id = j.resource_id AND c.detected_at = j.detected_at
), changed AS MATERIALIZED (
    FROM causes
    UNION ALL
    -- what led to nothing
    SELECT NULL, c.*
    FROM changes c
    ANTI JOIN causes USING (id)
    WHERE c.id IN (SELECT change_id FROM meant) OR c.resource_id IN (SELECT resource_id FROM subject)
), steps AS (
    SELECT
        c.finding, NULL AS decision_id, c.resource_id, v.valid_from AS happened_at, 'observation' AS step,
        v.version AS step_id,
        json_object(
            'version', v.version, 'name', v.name, 'status', v.status, 'tags', v.tags,
            'monthly_cost_usd', v.monthly_cost_usd, 'valid_to', rfc3339(v.valid_to), 'scan_id', v.scan_id
        ) AS details
    FROM (SELECT DISTINCT finding, resource_id, current_version, detected_at FROM changed) c
    JOIN all_versions v
        ON v.resource_id = c.resource_id AND v.version = c.current_version AND v.valid_from = c.detected_at
    UNION ALL
    SELECT
        c.finding, NULL, c.resource_id, c.detected_at, 'change', c.id,
        json_object(
            'change', c.type, 'baseline', c.baseline, 'details', c.details, 'diff', c.diff, 'cause', c.cause,
            'previous_version', c.previous_version, 'current_version', c.current_version,
            'scan_id', c.scan_id, 'scan_started_at', rfc3339(s.started_at), 'scan_finished_at', rfc3339(s.finished_at),
            'scan_outcome', s.outcome, 'scan_verdict', s.verdict
        )
    FROM changed c
    LEFT JOIN scans s
        ON (s.scan_id, s.provider, s.account, s.region, s.type)
        = (c.scan_id, c.provider, c.account, c.region, c.resource_type)
    UNION ALL
    SELECT
        finding, NULL, resource_id, opened_at, 'policy result', opened_by,
        json_object(
            'outcome', 'violated', 'policy', policy, 'rule', rule, 'severity', severity, 'message', message,
            'suggestion', suggestion, 'bundle', bundle
        )
    FROM violated
    UNION ALL
    SELECT
        finding, NULL, resource_id, closed_at, 'policy result', closed_by,
        json_object(
            'outcome', 'mended', 'policy', policy, 'rule', rule, 'severity', severity, 'message', message, 'bundle', bundle
        )
    FROM violated
    WHERE closed_at IS NOT NULL
    UNION ALL
    SELECT
        finding, id, resource_id, decided_at, 'decision', id,
        json_object(
            'action', action, 'severity', severity, 'state', state, 'reason', reason, 'caused_by', caused_by,
            'requires_approval', requires_approval, 'approve_by', rfc3339(approve_by), 'not_before', rfc3339(not_before),
            'metadata', metadata, 'superseded_by', superseded_by
        )
    FROM decided
    UNION ALL
    SELECT
        d.finding, d.id, d.resource_id, a.given_at, 'approval', a.id,
        json_object('verdict', a.verdict, 'person', a.person, 'reason', a.reason)
    FROM approvals a
    JOIN decided d ON d.id = a.decision_id
    UNION ALL
    SELECT
        d.finding, d.id, d.resource_id, e.executed_at, 'execution', e.id,
        json_object('outcome', e.outcome, 'before', e.before, 'after', e.after, 'error', e.error)
    FROM executions e
    JOIN decided d ON d.id = e.decision_id
    UNION ALL
    SELECT
        d.finding, d.id, d.resource_id, l.delivered_at, 'delivery', l.id,
        json_object('channel', l.channel, 'outcome', l.outcome, 'attempts', l.attempts, 'error', l.error)
    FROM deliveries l
    JOIN decided d ON d.id = l.decision_id
), answer AS (
    SELECT
        (SELECT list(DISTINCT sort || ' ' || meant ORDER BY sort || ' ' || meant) FROM meant) AS meant,
        s.finding, s.decision_id, s.happened_at, s.step, s.step_id, s.details, k.key
    FROM steps s
    JOIN keys k USING (resource_id)
)
-- by columns of the answer: the rows of several shards are sorted once more
FROM answer
ORDER BY
    key, finding NULLS FIRST, happened_at,
    list_position(
        ['observation', 'change', 'policy result', 'decision', 'approval', 'execution', 'delivery'], step
    ),
    step_id;
COMMENT ON MACRO TABLE explanation IS
'Why: the whole chain of a finding, a decision, an execution, a change or all findings of a resource, given its id, the beginning of one, or the resource''s key, one step each in order: what was observed, what differed, which rule was violated, what was decided, approved, executed, and who was told. meant says what the text is the name of: where it is several, all are explained';

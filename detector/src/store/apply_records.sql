INSERT INTO keys SELECT * FROM staged_record_keys;

-- Open violations of a resource that was evaluated again are replaced by what holds now.
DELETE FROM violations WHERE closed_at IS NULL AND resource_id IN (SELECT s.resource_id FROM staged_settled s);
INSERT INTO violations
SELECT * REPLACE (utc(opened_at) AS opened_at, utc(closed_at) AS closed_at) FROM staged_violations;

-- Each message once, whatever is delivered again.
CREATE OR REPLACE TEMP TABLE staged_unique AS
SELECT kind, m ->> 'id' AS id, any_value(resource_id) AS resource_id, any_value(m) AS m
FROM (SELECT kind, resource_id, message::JSON AS m FROM staged_messages)
GROUP BY ALL;

INSERT INTO policy_errors
SELECT s.id, s.resource_id, e.policy, e.message, s.m ->> 'bundle', (s.m ->> 'evaluated_at')::TIMESTAMPTZ
FROM (
    SELECT *, unnest(from_json(m -> 'errors', '[{"policy":"VARCHAR","message":"VARCHAR"}]')) AS e
    FROM staged_unique
    WHERE kind = 'policy_result'
) s
WHERE s.id NOT IN (SELECT p.result_id FROM policy_errors p);

INSERT INTO changes
SELECT
    s.id, m ->> 'type', coalesce((m ->> 'baseline')::BOOLEAN, false), s.resource_id, NULL, NULL, m -> 'diff',
    (m ->> 'detected_at')::TIMESTAMPTZ, m ->> 'scan_id', m ->> 'details', m -> 'cause', m -> 'earlier_life'
FROM staged_unique s
WHERE kind = 'change' AND s.id NOT IN (SELECT c.id FROM changes c);

INSERT INTO decisions
SELECT
    s.id, m ->> 'action', s.resource_id, m ->> 'severity', m ->> 'reason', m ->> 'finding', m ->> 'state',
    coalesce((m -> 'caused_by')::VARCHAR[], []), coalesce((m ->> 'requires_approval')::BOOLEAN, false),
    (m ->> 'not_before')::TIMESTAMPTZ, (m ->> 'decided_at')::TIMESTAMPTZ, m -> 'metadata'
FROM staged_unique s
WHERE kind = 'decision' AND s.id NOT IN (SELECT d.id FROM decisions d);

INSERT INTO approvals
SELECT s.id, m ->> 'decision_id', m ->> 'by', m ->> 'verdict', m ->> 'reason', (m ->> 'at')::TIMESTAMPTZ
FROM staged_unique s
WHERE kind = 'approval' AND s.id NOT IN (SELECT a.id FROM approvals a);

INSERT INTO executions
SELECT
    s.id, m ->> 'decision_id', s.resource_id, m ->> 'outcome', m -> 'before', m -> 'after', m ->> 'error',
    (m ->> 'at')::TIMESTAMPTZ
FROM staged_unique s
WHERE kind = 'execution' AND s.id NOT IN (SELECT e.id FROM executions e);

INSERT INTO deliveries
SELECT
    s.id, m ->> 'decision_id', m ->> 'channel', m ->> 'outcome', (m ->> 'attempts')::UINTEGER,
    (m ->> 'at')::TIMESTAMPTZ, m ->> 'error'
FROM staged_unique s
WHERE kind = 'delivery' AND s.id NOT IN (SELECT d.id FROM deliveries d);

-- Of the versions that ended on the day from $begins to $ends (microseconds), of types like $1 and not like $2: which
-- go, and until when those that stay are extended. A version that goes began and ended within the day. Those that go
-- follow, one upon the other, on one that stays and takes their time.
CREATE OR REPLACE TEMP TABLE thinning AS
WITH ended AS (
    SELECT
        c.rowid AS place, c.resource_id, c.type, c.version, c.valid_from, c.valid_to, c.first_seen, c.ended_by, c.closed_in,
        lag(c.valid_to) OVER life AS last_ended
    FROM closed c
    WHERE c.valid_to > utc($begins) AND c.valid_to <= utc($ends)
        AND len(list_filter($1::JSON::VARCHAR[], lambda pattern: c.type GLOB pattern)) > 0
        AND len(list_filter($2::JSON::VARCHAR[], lambda pattern: c.type GLOB pattern)) = 0
    WINDOW life AS (PARTITION BY c.resource_id ORDER BY c.valid_from, c.valid_to, c.rowid)
), needed AS (
    -- by a finding that somebody was told of or acted on, or by a message that may have to be made again
    SELECT id FROM (
        SELECT unnest(caused_by) AS id FROM decisions
        WHERE action <> 'audit' OR id IN (SELECT decision_id FROM executions)
    )
    UNION ALL
    SELECT change_id FROM outbox
), referred AS (
    SELECT resource_id, previous_version, current_version, detected_at
    FROM changes
    WHERE detected_at > utc($begins) AND detected_at <= utc($ends) AND id IN (FROM needed)
), moments AS (
    SELECT resource_id, unnest([opened_at, closed_at]) AS moment FROM violations
), kept AS (
    SELECT e.place FROM ended e JOIN referred r
        ON (e.resource_id, e.version, e.valid_from) = (r.resource_id, r.current_version, r.detected_at)
    UNION
    SELECT e.place FROM ended e JOIN referred r
        ON (e.resource_id, e.version, e.valid_to) = (r.resource_id, r.previous_version, r.detected_at)
    UNION
    SELECT e.place FROM ended e JOIN moments m
        ON e.resource_id = m.resource_id AND m.moment >= e.valid_from AND m.moment < e.valid_to
), judged AS (
    SELECT
        *,
        valid_from > utc($begins)
            AND valid_from > first_seen
            AND ended_by = 'changed'
            AND last_ended IS NOT DISTINCT FROM valid_from
            AND place NOT IN (FROM kept) AS goes
    FROM ended
), runs AS (
    SELECT *, count(*) FILTER (NOT goes) OVER life AS run
    FROM judged
    WINDOW life AS (PARTITION BY resource_id ORDER BY valid_from, valid_to, place)
)
SELECT place, resource_id, type, goes, valid_to, closed_in, max(valid_to) OVER (PARTITION BY resource_id, run) AS extended_to
FROM runs;

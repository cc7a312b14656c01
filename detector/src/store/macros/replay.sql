-- Resources are divided by their number, which is a hash: every part has about as many. The bounds fold to constants.
CREATE OR REPLACE MACRO part_begin(part, parts) AS (
    (part::UHUGEINT * (18446744073709551615::UHUGEINT // parts + 1))::UBIGINT
);
COMMENT ON MACRO part_begin IS 'For replay: the least resource_id of the nth of so many parts, from 0';
CREATE OR REPLACE MACRO part_end(part, parts) AS (
    least((part::UHUGEINT + 1) * (18446744073709551615::UHUGEINT // parts + 1) - 1, 18446744073709551615::UHUGEINT)::UBIGINT
);
COMMENT ON MACRO part_end IS 'For replay: the greatest resource_id of the nth of so many parts, from 0';

CREATE OR REPLACE MACRO resource_json(
    scope, local_id, name, arn, status, tags, created_at, monthly_cost_usd, monthly_cost_source, attributes, relations
) AS json_object(
    'key', key_of(scope, local_id), 'name', name, 'arn', arn, 'status', status, 'tags', tags,
    'created_at', rfc3339(created_at), 'monthly_cost_usd', monthly_cost_usd,
    'monthly_cost_source', monthly_cost_source, 'attributes', attributes::JSON,
    'relations', coalesce(relations, '[]')::JSON
);
COMMENT ON MACRO resource_json IS 'For replay: a resource as messages write it';

CREATE OR REPLACE MACRO replay(since, until, part := 0, parts := 1, account_like := NULL, region_like := NULL, type_like := NULL) AS TABLE
WITH lived AS MATERIALIZED (
    SELECT resource_id, version, scope, local_id, valid_from, valid_to, first_seen,
        resource_json(
            scope, local_id, name, arn, status, tags, created_at, monthly_cost_usd, monthly_cost_source, attributes, relations
        ) AS resource
    FROM (
        SELECT * EXCLUDE (tags_text) FROM current
        UNION ALL
        SELECT * EXCLUDE (closed_in) FROM closed WHERE valid_to > instant(since)
    )
    WHERE resource_id BETWEEN part_begin(part, parts) AND part_end(part, parts)
        AND valid_from < instant(until)
        AND in_scope(account, region, type, account_like, region_like, type_like)
), counted AS MATERIALIZED (
    -- how often it had changed by then, this change included: what a change message says
    SELECT resource_id, detected_at,
        count(*) OVER (
            PARTITION BY resource_id ORDER BY detected_at
            RANGE BETWEEN INTERVAL '6 days 23:59:59.999999' PRECEDING AND CURRENT ROW
        ) AS changes_7d,
        count(*) OVER (
            PARTITION BY resource_id ORDER BY detected_at
            RANGE BETWEEN INTERVAL '29 days 23:59:59.999999' PRECEDING AND CURRENT ROW
        ) AS changes_30d
    FROM changes
    WHERE NOT baseline
        AND resource_id BETWEEN part_begin(part, parts) AND part_end(part, parts)
        AND detected_at < instant(until)
    QUALIFY row_number() OVER (PARTITION BY resource_id, detected_at) = 1
), changed AS MATERIALIZED (
    SELECT *, coalesce(
        list_contains(list(previous_version) OVER (PARTITION BY resource_id, detected_at), current_version), false
    ) AS passing
    FROM (
        -- one comparison can yield several changes of one version
        SELECT resource_id, detected_at, previous_version, current_version, bool_and(baseline) AS baseline,
            bool_or(type = 'disappeared') AS gone, any_value(key_of(scope, local_id)) AS key
        FROM changes
        WHERE resource_id BETWEEN part_begin(part, parts) AND part_end(part, parts)
            AND detected_at > instant(since) AND detected_at < instant(until)
            AND in_scope(account, region, resource_type, account_like, region_like, type_like)
        GROUP BY resource_id, detected_at, previous_version, current_version
    )
), given AS (
    -- how each resource was when the time began
    SELECT
        l.resource_id, key_of(l.scope, l.local_id) AS key, l.valid_from AS happened_at, true AS at_start,
        NULL::VARCHAR AS previous_version, l.version AS current_version,
        EXISTS (
            FROM changes c
            WHERE c.baseline AND c.resource_id = l.resource_id AND c.detected_at = l.valid_from
                AND c.current_version = l.version
        ) AS baseline,
        false AS gone, false AS passing
    FROM lived l
    WHERE l.valid_from <= instant(since)
    UNION ALL
    SELECT resource_id, key, detected_at, false, previous_version, current_version, baseline, gone, passing
    FROM changed
), linked AS (
    -- the version before has been told, but for one that no change has told of
    SELECT *,
        lag(current_version) OVER (PARTITION BY resource_id ORDER BY happened_at, passing DESC)
            IS DISTINCT FROM previous_version AS wants_previous
    FROM given
), told AS (
    SELECT
        g.resource_id, g.key, g.happened_at, 'version' AS step, NULL AS rule,
        json_object(
            'at_start', g.at_start, 'gone', g.gone, 'version', g.current_version,
            'previous_version', g.previous_version, 'baseline', g.baseline,
            'first_seen', rfc3339(n.first_seen), 'changes_7d', c.changes_7d, 'changes_30d', c.changes_30d,
            'resource', n.resource, 'previous', p.resource
        ) AS details,
        g.passing
    FROM linked g
    LEFT JOIN lived n
        ON n.resource_id = g.resource_id AND n.version = g.current_version AND n.valid_from = g.happened_at
    LEFT JOIN lived p
        ON p.resource_id = g.resource_id AND p.version = g.previous_version AND p.valid_to = g.happened_at
        AND g.wants_previous
    LEFT JOIN counted c ON c.resource_id = g.resource_id AND c.detected_at = g.happened_at
    UNION ALL
    SELECT
        v.resource_id, k.key, v.opened_at, 'violation', v.policy || ' ' || v.rule,
        json_object(
            'policy', v.policy, 'rule', v.rule, 'severity', v.severity, 'message', v.message,
            'opened_at', rfc3339(v.opened_at), 'closed_at', rfc3339(v.closed_at)
        ),
        false
    FROM violations v
    JOIN keys k USING (resource_id)
    WHERE v.resource_id BETWEEN part_begin(part, parts) AND part_end(part, parts)
        AND v.opened_at < instant(until) AND (v.closed_at IS NULL OR v.closed_at > instant(since))
        AND in_scope(k.account, k.region, k.type, account_like, region_like, type_like)
)
SELECT key, happened_at, step, rule, details, passing
FROM told
-- violations first: where a policy fails, what it found before stays. By columns of the answer: the rows of several
-- shards are sorted once more
ORDER BY key, step DESC, happened_at, passing DESC, rule;
COMMENT ON MACRO TABLE replay IS
'What policies were given between two times, resource by resource: the violations that were recorded (step violation), how it was at first (at_start), then each change with the resource it left behind (step version; passing where another change came at the same instant). Of so many parts of all resources the nth, from 0';

CREATE OR REPLACE MACRO replay_size(since, until, account_like := NULL, region_like := NULL, type_like := NULL) AS TABLE
SELECT
    count(*) AS versions,
    -- as large as the first that there are: all would have to be read
    (count(*) * (
        SELECT coalesce(avg(strlen(attributes)), 2000)
        FROM (
            SELECT attributes FROM current WHERE in_scope(account, region, type, account_like, region_like, type_like) LIMIT 5000
        )
    ))::BIGINT AS bytes
FROM all_versions
WHERE valid_from < instant(until) AND (valid_to IS NULL OR valid_to > instant(since))
    AND in_scope(account, region, type, account_like, region_like, type_like);
COMMENT ON MACRO TABLE replay_size IS 'How many versions replay tells of, and about how many bytes of attributes they have: one row';

CREATE OR REPLACE MACRO pointer(path, key) AS path || '/' || replace(replace(key, '~', '~0'), '/', '~1');
COMMENT ON MACRO pointer IS 'A JSON Pointer (RFC 6901) to a member of what another one points to';

CREATE OR REPLACE MACRO compared_inside(former, latter) AS coalesce(
    (json_type(former) = 'OBJECT' AND json_type(latter) = 'OBJECT') OR (
        json_type(former) = 'ARRAY' AND json_type(latter) = 'ARRAY'
        AND json_array_length(former) = json_array_length(latter)
    ),
    false
);
COMMENT ON MACRO compared_inside IS
'Whether two values are compared member by member: objects, and arrays of one length. Others are compared as a whole';

CREATE OR REPLACE MACRO members(value) AS (
    CASE json_type(value)
        WHEN 'OBJECT' THEN json_keys(value)
        ELSE list_transform(range(json_array_length(value)::BIGINT), lambda position: position::VARCHAR)
    END
);
COMMENT ON MACRO members IS 'Keys of an object, positions of an array';

CREATE OR REPLACE MACRO member_values(value) AS (
    CASE json_type(value) WHEN 'OBJECT' THEN value -> '$.*' ELSE value -> '$[*]' END
);
COMMENT ON MACRO member_values IS 'Values of an object or an array, in the order of members';

CREATE OR REPLACE MACRO earlier(t1, t2) AS (
    CASE
        WHEN instant(t1) <= instant(t2) THEN instant(t1)
        ELSE error('the first time must not be after the second one')
    END
);
COMMENT ON MACRO earlier IS 'The first of two times that are given in order';

-- Only what ended or began between the two times can differ; of that, only what differs in its hash is opened.
CREATE OR REPLACE MACRO diff_between(t1, t2) AS TABLE
WITH RECURSIVE former AS (
    SELECT *
    FROM (SELECT *, instant(t1) AS first, instant(t2) AS second FROM closed)
    WHERE valid_from <= first AND valid_to > first AND valid_to <= second
), latter AS (
    SELECT *
    FROM (SELECT *, earlier(t1, t2) AS first, instant(t2) AS second FROM all_versions)
    WHERE valid_from > first AND valid_from <= second AND (valid_to IS NULL OR valid_to > second)
), pairs AS MATERIALIZED (
    -- where a resource is missing, all of its row is null
    SELECT resource_id, f AS former, l AS latter, CASE WHEN l.version IS NULL THEN f ELSE l END AS place
    FROM former f
    FULL JOIN latter l USING (resource_id)
    WHERE f.version IS DISTINCT FROM l.version
), fields AS (
    SELECT resource_id, path, former, latter
    FROM (
        SELECT resource_id, unnest(list_filter([
            {path: '/name', former: to_json(former.name), latter: to_json(latter.name)},
            {path: '/arn', former: to_json(former.arn), latter: to_json(latter.arn)},
            {path: '/status', former: to_json(former.status), latter: to_json(latter.status)},
            {path: '/created_at', former: to_json(rfc3339(former.created_at)), latter: to_json(rfc3339(latter.created_at))},
            {path: '/relations', former: former.relations::JSON, latter: latter.relations::JSON},
            -- tags that were or are unknown never differ
            {
                path: '/tags',
                former: CASE WHEN latter.tags IS NOT NULL THEN to_json(former.tags) END,
                latter: CASE WHEN former.tags IS NOT NULL THEN to_json(latter.tags) END
            },
            {path: '/attributes', former: former.attributes::JSON, latter: latter.attributes::JSON}
        ], lambda field: field.former IS DISTINCT FROM field.latter), recursive := true)
        FROM pairs
        WHERE former.version IS NOT NULL AND latter.version IS NOT NULL
    )
    UNION ALL
    -- into objects and arrays, to the members that differ; each is read once
    SELECT
        resource_id, pointer(path, member) AS path,
        former_values[list_position(former_members, member)] AS former,
        latter_values[list_position(latter_members, member)] AS latter
    FROM (
        SELECT
            *,
            unnest(list_filter(
                list_distinct(former_members || latter_members),
                lambda member: former_values[list_position(former_members, member)]
                    IS DISTINCT FROM latter_values[list_position(latter_members, member)]
            )) AS member
        FROM (
            SELECT
                resource_id, path,
                members(former) AS former_members, member_values(former) AS former_values,
                members(latter) AS latter_members, member_values(latter) AS latter_values
            FROM fields
            WHERE compared_inside(former, latter)
        )
    )
), diffs AS (
    -- each text begins with its path, and so they sort by it
    SELECT resource_id, to_json(list_sort(list(
        CASE
            WHEN former IS NULL THEN json_object('path', path, 'after', latter)
            WHEN latter IS NULL THEN json_object('path', path, 'before', former)
            ELSE json_object('path', path, 'before', former, 'after', latter)
        END
    ))) AS diff
    FROM fields
    WHERE NOT compared_inside(former, latter)
    GROUP BY resource_id
)
SELECT
    CASE
        WHEN p.former.version IS NULL THEN 'appeared'
        WHEN p.latter.version IS NULL THEN 'disappeared'
        ELSE 'changed'
    END AS change,
    key_of(p.place.scope, p.place.local_id) AS key,
    p.place.provider, p.place.account, p.place.region, p.place.type, id_of(p.place.local_id) AS id,
    coalesce(p.latter.name, p.former.name) AS name,
    d.diff,
    p.former.monthly_cost_usd AS cost_before,
    p.latter.monthly_cost_usd AS cost_after,
    p.former.version AS previous_version,
    p.latter.version AS current_version,
    p.former.valid_from AS previous_valid_from,
    p.latter.valid_from AS current_valid_from
FROM pairs p
LEFT JOIN diffs d USING (resource_id)
WHERE p.former.version IS NULL OR p.latter.version IS NULL OR d.diff IS NOT NULL
ORDER BY key;
COMMENT ON MACRO TABLE diff_between IS
'The whole estate at two times: what appeared, disappeared or changed, net of what happened in between. diff is a list of {path, before, after}, paths are JSON Pointers';

-- Reads hashes only: attributes are what takes time.
CREATE OR REPLACE MACRO changed_between(t1, t2) AS TABLE
WITH former AS (
    SELECT resource_id, version, provider, account, region, type, scope, local_id
    FROM (SELECT *, instant(t1) AS first, instant(t2) AS second FROM closed)
    WHERE valid_from <= first AND valid_to > first AND valid_to <= second
), latter AS (
    SELECT resource_id, version, provider, account, region, type, scope, local_id
    FROM (SELECT *, earlier(t1, t2) AS first, instant(t2) AS second FROM all_versions)
    WHERE valid_from > first AND valid_from <= second AND (valid_to IS NULL OR valid_to > second)
)
SELECT
    CASE
        WHEN f.version IS NULL THEN 'appeared'
        WHEN l.version IS NULL THEN 'disappeared'
        ELSE 'changed'
    END AS change,
    key_of(coalesce(l.scope, f.scope), coalesce(l.local_id, f.local_id)) AS key,
    coalesce(l.provider, f.provider) AS provider,
    coalesce(l.account, f.account) AS account,
    coalesce(l.region, f.region) AS region,
    coalesce(l.type, f.type) AS type,
    id_of(coalesce(l.local_id, f.local_id)) AS id,
    f.version AS previous_version,
    l.version AS current_version
FROM former f
FULL JOIN latter l USING (resource_id)
WHERE f.version IS DISTINCT FROM l.version;
COMMENT ON MACRO TABLE changed_between IS
'As diff_between, without the fields that differ: much faster for counts and keys. A resource counts as changed even where only its tags became readable. Not sorted';

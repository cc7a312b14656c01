CREATE OR REPLACE MACRO changes_since(t) AS TABLE
SELECT * FROM change_log WHERE detected_at >= instant(t);
COMMENT ON MACRO TABLE changes_since IS
'Every change since that time, the first look at a scope (baseline) included: columns of change_log. Not sorted: counting is faster then';

CREATE OR REPLACE MACRO new_since(t) AS TABLE
SELECT * FROM changes_since(t) WHERE change = 'appeared' AND NOT baseline;
COMMENT ON MACRO TABLE new_since IS 'What appeared since that time: columns of change_log';

CREATE OR REPLACE MACRO disappeared_since(t) AS TABLE
SELECT * FROM changes_since(t) WHERE change = 'disappeared';
COMMENT ON MACRO TABLE disappeared_since IS 'What disappeared since that time: columns of change_log';

CREATE OR REPLACE MACRO modified_since(t) AS TABLE
SELECT * FROM changes_since(t) WHERE change = 'modified';
COMMENT ON MACRO TABLE modified_since IS
'What was modified since that time (name, status, attributes, relations; not tags): columns of change_log';

CREATE OR REPLACE MACRO changed_tags(diff) AS
list_transform(
    diff ->> '$[*].path',
    lambda path: replace(replace(substr(path, 7), '~1', '/'), '~0', '~')
);
COMMENT ON MACRO changed_tags IS 'The tag keys that the diff of a tag drift names';

CREATE OR REPLACE MACRO tag_changes_since(t, tag_keys := NULL) AS TABLE
SELECT *, changed_tags(diff) AS tag_keys
FROM changes_since(t)
WHERE change = 'tag_drift'
    AND (tag_keys IS NULL OR len(tag_keys) = 0 OR list_has_any(changed_tags(diff), tag_keys::VARCHAR[]));
COMMENT ON MACRO TABLE tag_changes_since IS
'Tag drift since that time, of these tag keys, or of all where none are given: columns of change_log, and tag_keys';

CREATE OR REPLACE MACRO flapping(since, at_least := 3) AS TABLE
SELECT
    key, provider, account, region, type, id,
    count(*) AS changes,
    -- came back to a version it had before: comparisons, of which each can yield several changes, less the versions that
    -- were new
    count(DISTINCT (detected_at, previous_version, current_version)) FILTER (current_version IS NOT NULL)
    - len(list_distinct(list(previous_version) || list(current_version)))
    + (
        first(previous_version ORDER BY detected_at) FILTER (previous_version IS NOT NULL OR current_version IS NOT NULL)
        IS NOT NULL
    )::BIGINT AS returns,
    count(*) FILTER (change = 'disappeared') AS disappearances,
    min(detected_at) AS first_change_at,
    max(detected_at) AS last_change_at,
    -- several have one instant
    first(details ORDER BY detected_at DESC, change) AS last_details
FROM change_log
WHERE detected_at >= instant(since) AND NOT baseline
GROUP BY ALL
HAVING count(*) >= at_least
ORDER BY changes DESC, key;
COMMENT ON MACRO TABLE flapping IS
'Resources that changed at least so often (3) since that time: changes, returns to a version they had before, disappearances, the last change';

CREATE OR REPLACE MACRO who_changed(key_or_id) AS TABLE
SELECT
    detected_at, change, details,
    cause ->> 'principal' AS principal,
    cause ->> 'operation' AS operation,
    (cause ->> 'at')::TIMESTAMPTZ AS operation_at,
    key, change_id
FROM change_log
WHERE resource_id IN (SELECT resource_id FROM named(key_or_id))
ORDER BY detected_at, change;
COMMENT ON MACRO TABLE who_changed IS
'Every change of one resource, given its key or its bare id, with the principal and the API call behind it; null where they are not known';

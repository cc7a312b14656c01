-- What a column means, once for all tables and views that have it: a name means the same everywhere. An entry with a
-- table overrides. Gives the statements that write it beside the columns.
WITH meanings(table_name, column_name, meaning) AS (
    VALUES
    (NULL, 'key', 'provider/account/region/type/id, each part percent-encoded'),
    (NULL, 'provider', 'aws or gcp'),
    (NULL, 'account', 'AWS account id or GCP project id'),
    (NULL, 'region', 'Region, or global'),
    (NULL, 'type', 'The cloud''s own resource type, such as ec2:instance'),
    (NULL, 'id', 'The cloud''s own id within provider, account, region and type'),
    (NULL, 'resource_id', '64 bits of a hash of the key; joins views with tables'),
    (NULL, 'version', 'Hash of the content: equal for equal content'),
    (NULL, 'name', 'Name, where it has one'),
    (NULL, 'arn', 'Amazon Resource Name, where it has one'),
    (NULL, 'status', 'Status as the cloud says it, such as running'),
    (NULL, 'tags', 'Tags as they are written; null where they have never been readable'),
    (NULL, 'tags_carried', 'Whether tags could not be read this time and are those of the version before'),
    (NULL, 'created_at', 'When the cloud says it was made'),
    (NULL, 'monthly_cost_usd', 'Estimated cost of a month at list prices; null where there is no estimate'),
    (NULL, 'monthly_cost_source', 'Where the estimate comes from'),
    (NULL, 'attributes', 'Everything the API returned, normalised'),
    (NULL, 'relations', 'Other resources it refers to: a list of {relation, to}'),
    (NULL, 'valid_from', 'When this version was first seen'),
    (NULL, 'valid_to', 'When it was seen to have ended, this instant excluded; null for the current version'),
    (NULL, 'first_seen', 'When the resource was first seen in this life'),
    (NULL, 'last_seen', 'When an observation last wrote to this version; unchanged rescans write nothing, see sightings'),
    ('sightings', 'last_seen', 'When it was last seen, unchanged rescans included'),
    (NULL, 'scan_id', 'The scan that showed it; null for an observation published by hand'),
    (NULL, 'ended_by', 'changed or disappeared; null for the current version'),
    (NULL, 'change_id', 'A hash of what caused the change: a replay makes the same id'),
    (NULL, 'change', 'appeared, disappeared, modified, tag_drift or cost_increase'),
    (NULL, 'baseline', 'True for the first look at a scope: audited, never alerted'),
    (NULL, 'previous_version', 'Hash of the version before; null when it appeared'),
    (NULL, 'current_version', 'Hash of the version after; null when it disappeared'),
    (NULL, 'diff', 'What differs: a list of {path, before, after}, paths are JSON Pointers'),
    (NULL, 'detected_at', 'When the observation, or the scan''s end, that showed it was made'),
    (NULL, 'details', 'One readable line'),
    (NULL, 'cause', 'Who did it, when known: {principal, operation, at}'),
    (NULL, 'earlier_life', 'For a resource that came back: {first_seen, disappeared_at, version}'),
    (NULL, 'policy', 'The Rego package'),
    (NULL, 'rule', 'The rule within the policy'),
    (NULL, 'severity', 'critical, warning or info, as last evaluated'),
    (NULL, 'message', 'For a person, as last evaluated'),
    (NULL, 'suggestion', 'How to mend it'),
    (NULL, 'bundle', 'Hash of the policies that found it last'),
    (NULL, 'opened_at', 'When it was found first'),
    (NULL, 'closed_at', 'When it was found mended; null while it is open'),
    (NULL, 'opened_by', 'Id of the policy result that found it'),
    (NULL, 'closed_by', 'Id of the policy result that no longer found it'),
    (NULL, 'last_complete_started_at', 'When the last scan began that saw all of the scope'),
    (NULL, 'last_complete_at', 'When the last scan ended that saw all of the scope; null where none has yet'),
    (NULL, 'age', 'How long ago that was'),
    (NULL, 'last_scan_at', 'When the last scan ended, complete or not'),
    (NULL, 'last_outcome', 'How it ended: complete, partial, failed; abandoned when no report came'),
    (NULL, 'last_errors', 'What went wrong in it: a list of {operation, code, message}'),
    (NULL, 'scans', 'How many scans have ended'),
    ('migrations', 'number', 'Which migration'),
    ('migrations', 'name', 'Its file'),
    ('migrations', 'applied_at', 'When it was made here')
)
SELECT format(
    'COMMENT ON COLUMN {}.{} IS ''{}''', c.table_name, c.column_name,
    replace(arg_max(m.meaning, m.table_name IS NOT NULL), '''', '''''')
)
FROM duckdb_columns() c
JOIN meanings m ON m.column_name = c.column_name AND coalesce(m.table_name, c.table_name) = c.table_name
WHERE c.database_name = current_database() AND c.schema_name = current_schema() AND NOT c.internal AND c.comment IS NULL
GROUP BY c.table_name, c.column_name
ORDER BY ALL

-- The macro of the same name in versions.sql, of a file that has its ended versions by resource: it reads them where
-- they lie together. What is not there yet is in closed, behind where `lives.state` says: $closed_in and $until stand for
-- that, and the macro is made anew whenever it changes, since a join with that row would be planned in each statement. What
-- all versions have in common is of keys: each column that is opened costs a vector of it. The numbers of the resources
-- reach all three sources from the last join.
CREATE OR REPLACE MACRO history(key_or_id) AS TABLE
SELECT
    m.key, m.provider, m.account, m.region, m.type, m.id,
    v.version,
    v.name, v.arn, v.status, v.tags::JSON::MAP(VARCHAR, VARCHAR) AS tags, v.tags_carried, v.created_at,
    v.monthly_cost_usd, v.monthly_cost_source,
    v.attributes::JSON AS attributes,
    v.relations::JSON AS relations,
    v.valid_from, v.valid_to, v.first_seen, v.last_seen, v.scan_id, v.ended_by, v.resource_id
FROM (
    SELECT * EXCLUDE (provider, account, region, type, scope, local_id, tags_text) REPLACE (tags_text AS tags)
    FROM current
    UNION ALL
    SELECT * EXCLUDE (provider, account, region, type, scope, local_id, closed_in) REPLACE (tags::JSON::VARCHAR AS tags)
    FROM closed
    WHERE closed_in >= $closed_in AND (closed_in > $closed_in OR valid_to > TIMESTAMPTZ '$until')
    UNION ALL
    SELECT * EXCLUDE (provider, account, region, type, scope, local_id)
    FROM lives.ended
) v
JOIN named(key_or_id) m ON m.resource_id = v.resource_id
ORDER BY key, valid_from, valid_to NULLS LAST;
COMMENT ON MACRO TABLE history IS
'Every version of one resource, given its key or its bare id, oldest first: columns of versions';

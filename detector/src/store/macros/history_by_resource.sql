-- The macro of the same name in versions.sql, of a file that has its ended versions by resource: it reads them where
-- they lie together. What is not there yet is in closed, behind where `lives.state` says. What all versions have in
-- common is of keys: each column that is opened costs a vector of it. The numbers of the resources reach all three sources
-- from the last join; closed is joined itself for where to begin.
CREATE OR REPLACE MACRO history(key_or_id) AS TABLE
WITH meant AS MATERIALIZED (
    SELECT n.*, s.closed_in, s.until
    FROM named(key_or_id) n CROSS JOIN lives.state s
)
SELECT
    m.key, m.provider, m.account, m.region, m.type, m.id,
    version_text(v.version) AS version,
    v.name, v.arn, v.status, v.tags, v.tags_carried, v.created_at,
    v.monthly_cost_usd, v.monthly_cost_source,
    v.attributes::JSON AS attributes,
    v.relations::JSON AS relations,
    v.valid_from, v.valid_to, v.first_seen, v.last_seen, v.scan_id, v.ended_by, v.resource_id
FROM (
    SELECT * EXCLUDE (provider, account, region, type, scope, local_id)
    FROM current
    UNION ALL
    SELECT c.* EXCLUDE (provider, account, region, type, scope, local_id, closed_in)
    FROM closed c JOIN meant m ON m.resource_id = c.resource_id AND c.closed_in >= m.closed_in
    WHERE c.closed_in > m.closed_in OR c.valid_to > m.until
    UNION ALL
    SELECT * EXCLUDE (provider, account, region, type, scope, local_id)
        REPLACE (tags::JSON::MAP(VARCHAR, VARCHAR) AS tags)
    FROM lives.ended
) v
JOIN meant m ON m.resource_id = v.resource_id
ORDER BY key, valid_from, valid_to NULLS LAST;
COMMENT ON MACRO TABLE history IS
'Every version of one resource, given its key or its bare id, oldest first: columns of versions';

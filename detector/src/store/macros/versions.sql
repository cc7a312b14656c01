CREATE OR REPLACE MACRO resources_at(t) AS TABLE
SELECT * EXCLUDE (moment)
FROM (SELECT *, instant(t) AS moment FROM versions)
WHERE valid_from <= moment AND (valid_to IS NULL OR valid_to > moment);
COMMENT ON MACRO TABLE resources_at IS
'Every resource that existed at that time, as it was: columns of versions. A version holds from valid_from until before valid_to';

CREATE OR REPLACE MACRO history(key_or_id) AS TABLE
SELECT * FROM versions
WHERE resource_id IN (SELECT resource_id FROM named(key_or_id))
ORDER BY key, valid_from, valid_to NULLS LAST;
COMMENT ON MACRO TABLE history IS
'Every version of one resource, given its key or its bare id, oldest first: columns of versions';

CREATE OR REPLACE MACRO previous_observation(key_or_id) AS TABLE
SELECT * FROM history(key_or_id)
QUALIFY row_number() OVER (PARTITION BY key ORDER BY valid_from DESC, valid_to DESC NULLS FIRST) = 2;
COMMENT ON MACRO TABLE previous_observation IS 'The version before the last one of a resource: columns of versions';

CREATE OR REPLACE MACRO resources_at(t) AS TABLE
SELECT * FROM versions
WHERE valid_from <= t::TIMESTAMPTZ AND (valid_to IS NULL OR valid_to > t::TIMESTAMPTZ);
COMMENT ON MACRO TABLE resources_at IS 'Every resource that existed at that time, as it was';

CREATE OR REPLACE MACRO history(key_or_id) AS TABLE
SELECT * FROM versions
WHERE resource_id IN (SELECT k.resource_id FROM keys k WHERE k.key = key_or_id OR k.id = key_or_id)
ORDER BY key, valid_from, valid_to NULLS LAST;
COMMENT ON MACRO TABLE history IS 'Every version of one resource, given its key or its bare id, oldest first';

CREATE OR REPLACE MACRO previous_observation(key_or_id) AS TABLE
SELECT * FROM history(key_or_id)
QUALIFY row_number() OVER (PARTITION BY key ORDER BY valid_from DESC, valid_to DESC NULLS FIRST) = 2;
COMMENT ON MACRO TABLE previous_observation IS 'The version before the last one of a resource';

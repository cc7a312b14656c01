DELETE FROM current WHERE resource_id IN (SELECT e.resource_id FROM staged_ended e);

CREATE OR REPLACE TEMP VIEW staged AS
SELECT * REPLACE (
    tags::JSON::MAP(VARCHAR, VARCHAR) AS tags,
    utc(created_at) AS created_at,
    utc(valid_from) AS valid_from,
    utc(valid_to) AS valid_to,
    utc(first_seen) AS first_seen,
    utc(last_seen) AS last_seen
), tags AS tags_text
FROM staged_versions;

INSERT INTO closed SELECT * EXCLUDE (tags_text), (SELECT number FROM commits) FROM staged WHERE valid_to IS NOT NULL ORDER BY valid_to;
INSERT INTO current SELECT * FROM staged WHERE valid_to IS NULL;

INSERT INTO changes
SELECT
    id, type, baseline, resource_id, provider, account, region, resource_type, scope, local_id, previous_version, current_version, diff::JSON, utc(detected_at), scan_id,
    details, NULL, earlier_life::JSON
FROM staged_changes
ORDER BY ordinal;

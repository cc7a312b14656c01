INSERT INTO keys SELECT * FROM staged_keys;

INSERT INTO closed
SELECT c.* REPLACE (
    utc(e.valid_to) AS valid_to,
    greatest(c.last_seen, utc(e.last_seen)) AS last_seen,
    e.ended_by AS ended_by
)
FROM current c
JOIN staged_ends e USING (resource_id)
ORDER BY e.valid_to;

DELETE FROM current WHERE resource_id IN (SELECT e.resource_id FROM staged_ends e);

CREATE OR REPLACE TEMP VIEW staged AS
SELECT * REPLACE (
    tags::JSON::MAP(VARCHAR, VARCHAR) AS tags,
    utc(created_at) AS created_at,
    utc(valid_from) AS valid_from,
    utc(valid_to) AS valid_to,
    utc(first_seen) AS first_seen,
    utc(last_seen) AS last_seen
)
FROM staged_versions;

INSERT INTO closed SELECT * FROM staged WHERE valid_to IS NOT NULL ORDER BY valid_to;
INSERT INTO current SELECT * FROM staged WHERE valid_to IS NULL;

UPDATE current SET last_seen = greatest(current.last_seen, utc(t.last_seen))
FROM staged_touched t
WHERE t.resource_id = current.resource_id AND current.last_seen < utc(t.last_seen);

INSERT INTO scans
SELECT * REPLACE (utc(started_at) AS started_at, utc(finished_at) AS finished_at, errors::JSON AS errors)
FROM staged_scans;

INSERT INTO changes
SELECT
    id, type, baseline, resource_id, previous_version, current_version, diff::JSON, utc(detected_at), scan_id,
    details, NULL, earlier_life::JSON
FROM staged_changes
ORDER BY ordinal;

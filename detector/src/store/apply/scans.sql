INSERT INTO scans
SELECT * REPLACE (utc(started_at) AS started_at, utc(finished_at) AS finished_at, errors::JSON AS errors)
FROM staged_scans;

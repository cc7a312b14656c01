INSERT INTO fields.recent
SELECT * REPLACE (
    tags::JSON::MAP(VARCHAR, VARCHAR) AS tags,
    utc(created_at) AS created_at,
    utc(valid_from) AS valid_from,
    utc(first_seen) AS first_seen
)
FROM staged_fields;

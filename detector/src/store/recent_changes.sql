-- How often the resources of the batch's changes have changed in the days before each, itself included.
SELECT
    s.ordinal,
    count(*) FILTER (c.detected_at > utc(s.detected_at) - INTERVAL 7 DAY),
    count(*)
FROM staged_changes s
JOIN changes c ON c.resource_id = s.resource_id
WHERE NOT s.baseline
    AND NOT c.baseline
    AND c.detected_at <= utc(s.detected_at)
    AND c.detected_at > utc(s.detected_at) - INTERVAL 30 DAY
GROUP BY ALL;

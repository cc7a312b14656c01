-- last_seen of a current version is when an observation last wrote to it, a repeated one too: see sightings
SELECT * EXCLUDE (resource_id) REPLACE (CASE WHEN valid_to IS NOT NULL THEN last_seen END AS last_seen)
FROM versions
WHERE account <> getvariable('observed')

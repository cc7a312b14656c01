-- The same in lives.ended, of whatever resources anything went: what is left of their day takes the place of what was
-- there. Slices that are sorted already have rows that are gone, so a sorting that is going on begins again.
DELETE FROM lives.ended
WHERE resource_id IN (SELECT resource_id FROM thinning WHERE goes)
    AND valid_to > utc($begins) AND valid_to <= utc($ends);

INSERT INTO lives.ended
SELECT c.* EXCLUDE (closed_in) REPLACE (c.tags::JSON::VARCHAR AS tags)
FROM closed c CROSS JOIN lives.state s
WHERE c.resource_id IN (SELECT resource_id FROM thinning WHERE goes)
    AND c.valid_to > utc($begins) AND c.valid_to <= utc($ends)
    AND (c.closed_in < s.closed_in OR c.closed_in = s.closed_in AND c.valid_to <= s.until)
ORDER BY c.resource_id, c.valid_from, c.valid_to;

UPDATE lives.state
SET slices = 0, slice = 0, added = added + (SELECT count(*) FROM thinning WHERE NOT goes);

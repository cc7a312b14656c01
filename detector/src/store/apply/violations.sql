-- Open violations of a resource that was evaluated again are replaced by what holds now.
DELETE FROM violations WHERE closed_at IS NULL AND resource_id IN (SELECT s.resource_id FROM staged_settled s);
INSERT INTO violations
SELECT * REPLACE (utc(opened_at) AS opened_at, utc(closed_at) AS closed_at) FROM staged_violations;

-- Each message once, whatever is delivered again. The join finds what is known already: the few
-- staged rows are looked for, not all that were ever stored.
INSERT INTO decisions
WITH known AS MATERIALIZED (SELECT stored.id FROM decisions stored JOIN staged_decisions USING (id))
SELECT
    * REPLACE (
        caused_by::JSON::VARCHAR[] AS caused_by,
        utc(not_before) AS not_before,
        utc(decided_at) AS decided_at,
        metadata::JSON AS metadata,
        utc(approve_by) AS approve_by
    )
FROM staged_decisions
WHERE id NOT IN (FROM known);

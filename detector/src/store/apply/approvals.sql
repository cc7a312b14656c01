-- Each message once, whatever is delivered again. The join finds what is known already: the few
-- staged rows are looked for, not all that were ever stored.
INSERT INTO approvals
WITH known AS MATERIALIZED (SELECT stored.id FROM approvals stored JOIN staged_approvals USING (id))
SELECT
    * REPLACE (utc(given_at) AS given_at)
FROM staged_approvals
WHERE id NOT IN (FROM known);

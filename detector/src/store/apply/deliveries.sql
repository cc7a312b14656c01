-- Each message once, whatever is delivered again. The join finds what is known already: the few
-- staged rows are looked for, not all that were ever stored.
INSERT INTO deliveries
WITH known AS MATERIALIZED (SELECT stored.id FROM deliveries stored JOIN staged_deliveries USING (id))
SELECT
    * REPLACE (utc(delivered_at) AS delivered_at)
FROM staged_deliveries
WHERE id NOT IN (FROM known);

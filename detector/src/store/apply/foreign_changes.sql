-- Each message once, whatever is delivered again. The join finds what is known already: the few
-- staged rows are looked for, not all that were ever stored.
INSERT INTO changes
WITH known AS MATERIALIZED (SELECT stored.id FROM changes stored JOIN staged_foreign_changes USING (id))
SELECT
    id, type, baseline, resource_id, provider, account, region, resource_type, scope, local_id, NULL, NULL, diff::JSON, utc(detected_at), scan_id, details, cause::JSON,
    earlier_life::JSON
FROM staged_foreign_changes
WHERE id NOT IN (FROM known);

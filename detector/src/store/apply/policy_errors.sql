-- Each message once, whatever is delivered again. The join finds what is known already: the few
-- staged rows are looked for, not all that were ever stored.
INSERT INTO policy_errors
WITH known AS MATERIALIZED (SELECT stored.result_id FROM policy_errors stored JOIN staged_policy_errors USING (result_id))
SELECT
    * REPLACE (utc(evaluated_at) AS evaluated_at)
FROM staged_policy_errors
WHERE result_id NOT IN (FROM known);

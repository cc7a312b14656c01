-- Each message once, whatever is delivered again. The join finds what is known already: the few
-- staged rows are looked for, not all that were ever stored.
INSERT INTO executions
WITH known AS MATERIALIZED (SELECT stored.id FROM executions stored JOIN staged_executions USING (id))
SELECT
    * REPLACE (before::JSON AS before, after::JSON AS after, utc(executed_at) AS executed_at)
FROM staged_executions
WHERE id NOT IN (FROM known);

CREATE OR REPLACE VIEW coverage AS
SELECT
    provider,
    account,
    region,
    type,
    max(started_at) FILTER (verdict = 'proved') AS last_complete_started_at,
    max(finished_at) FILTER (verdict = 'proved') AS last_complete_at,
    present() - max(finished_at) FILTER (verdict = 'proved') AS age,
    max(finished_at) AS last_scan_at,
    arg_max(outcome, finished_at) AS last_outcome,
    arg_max_null(errors, finished_at) AS last_errors,
    count(*) AS scans
FROM scans
GROUP BY provider, account, region, type;
COMMENT ON VIEW coverage IS 'Per scope: when it was last seen whole, how long ago, and how the last scan ended';

-- Time to detect: from the moment a change was seen to the moment a channel took its message.
SELECT measure, name, value
FROM (
    SELECT 'resources' AS measure, 'existing' AS name, count(*)::DOUBLE AS value FROM current
    UNION ALL
    SELECT 'resources', 'ever', count(*)::DOUBLE FROM keys
    UNION ALL
    SELECT 'versions', 'all', (SELECT count(*) FROM current) + (SELECT count(*) FROM closed)
    UNION ALL
    SELECT 'scans', verdict, count(*)::DOUBLE FROM scans GROUP BY verdict
    UNION ALL
    SELECT 'changes', type, count(*)::DOUBLE FROM changes WHERE NOT baseline GROUP BY type
    UNION ALL
    SELECT 'baseline', type, count(*)::DOUBLE FROM changes WHERE baseline GROUP BY type
    UNION ALL
    SELECT 'open_violations', severity, count(*)::DOUBLE FROM violations WHERE closed_at IS NULL GROUP BY severity
    UNION ALL
    SELECT 'decisions', concat_ws('/', action, severity, state), count(*)::DOUBLE
    FROM decisions GROUP BY action, severity, state
    UNION ALL
    SELECT 'deliveries', outcome, count(*)::DOUBLE FROM deliveries GROUP BY outcome
    UNION ALL
    SELECT 'seconds_to_detect', unnest(['median', 'longest']), unnest([median(seconds), max(seconds)])
    FROM (
        SELECT epoch(d.delivered_at) - epoch(c.detected_at) AS seconds
        FROM deliveries d
        JOIN (SELECT id, unnest(caused_by) AS cause FROM decisions) x ON x.id = d.decision_id
        JOIN changes c ON c.id = x.cause
        WHERE d.outcome = 'delivered'
    )
    HAVING count(*) > 0
)
ORDER BY measure, name

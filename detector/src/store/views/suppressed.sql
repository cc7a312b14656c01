CREATE OR REPLACE VIEW suppressed AS
WITH latest AS (
    SELECT finding, max_by(d, (d.decided_at, d.id)) AS d
    FROM decisions d
    WHERE finding IN (SELECT finding FROM decisions WHERE state = 'suppressed')
    GROUP BY finding
)
SELECT
    k.key, k.provider, k.account, k.region, k.type, k.id,
    d.metadata->>'exception' AS exception, d.severity, d.reason, d.finding,
    d.decided_at AS since, d.resource_id
FROM latest
JOIN keys k ON k.resource_id = d.resource_id
WHERE d.state = 'suppressed' OR (d.state = 'reminder' AND d.metadata->>'exception' IS NOT NULL);
COMMENT ON VIEW suppressed IS 'Findings that an exception covers now, and which';

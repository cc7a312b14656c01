-- Apart from resources: every query of that view would pay for the join with all scans.
CREATE OR REPLACE VIEW sightings AS
SELECT
    k.key, k.provider, k.account, k.region, k.type, k.id,
    -- an unchanged rescan writes nothing: a complete scan has seen all that exists of its scope
    greatest(c.last_seen, s.last_complete_started_at) AS last_seen,
    s.last_complete_at, s.last_outcome, c.resource_id
FROM current c
JOIN keys k USING (resource_id)
LEFT JOIN coverage s ON (s.provider, s.account, s.region, s.type) = (k.provider, k.account, k.region, k.type);
COMMENT ON VIEW sightings IS 'When every existing resource was last seen, unchanged rescans included';

-- Apart from resources: every query of that view would pay for the join with all scans.
CREATE OR REPLACE VIEW sightings AS
SELECT
    key_of(c.scope, c.local_id) AS key, c.provider, c.account, c.region, c.type, id_of(c.local_id) AS id,
    -- an unchanged rescan writes nothing: a complete scan has seen all that exists of its scope
    greatest(c.last_seen, s.last_complete_started_at) AS last_seen,
    s.last_complete_at, s.last_outcome, c.resource_id
FROM current c
LEFT JOIN coverage s ON (s.provider, s.account, s.region, s.type) = (c.provider, c.account, c.region, c.type);
COMMENT ON VIEW sightings IS 'When every existing resource was last seen, unchanged rescans included';

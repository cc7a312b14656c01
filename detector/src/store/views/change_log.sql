CREATE OR REPLACE VIEW change_log AS
SELECT
    c.id AS change_id, c.type AS change, c.baseline,
    key_of(c.scope, c.local_id) AS key, c.provider, c.account, c.region, c.resource_type AS type,
    id_of(c.local_id) AS id,
    c.previous_version,
    c.current_version,
    c.diff, c.detected_at, c.scan_id, c.details, c.cause, c.earlier_life, c.resource_id
FROM changes c;
COMMENT ON VIEW change_log IS 'Every change with the key of its resource';

CREATE OR REPLACE VIEW change_log AS
SELECT
    c.id AS change_id, c.type AS change, c.baseline,
    k.key, k.provider, k.account, k.region, k.type, k.id,
    version_text(c.previous_version) AS previous_version,
    version_text(c.current_version) AS current_version,
    c.diff, c.detected_at, c.scan_id, c.details, c.cause, c.earlier_life, c.resource_id
FROM changes c
JOIN keys k USING (resource_id);
COMMENT ON VIEW change_log IS 'Every change with the key of its resource';

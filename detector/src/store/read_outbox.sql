-- The change, and the versions before and after it, as they were.
SELECT
    o.sequence, c.id, c.type, c.baseline, k.key,
    version_text(c.previous_version), version_text(c.current_version), c.diff, epoch_us(c.detected_at), c.scan_id,
    c.details, c.earlier_life,
    p.version, n.version, epoch_us(coalesce(n.first_seen, p.first_seen)),
    (SELECT count(*) FROM changes h WHERE h.resource_id = c.resource_id AND NOT h.baseline
        AND h.detected_at <= c.detected_at AND h.detected_at > c.detected_at - INTERVAL 7 DAY),
    (SELECT count(*) FROM changes h WHERE h.resource_id = c.resource_id AND NOT h.baseline
        AND h.detected_at <= c.detected_at AND h.detected_at > c.detected_at - INTERVAL 30 DAY)
FROM outbox o
JOIN changes c ON c.id = o.change_id
JOIN keys k USING (resource_id)
LEFT JOIN stored p ON p.resource_id = c.resource_id AND p.hash = c.previous_version AND p.valid_to = c.detected_at
LEFT JOIN stored n ON n.resource_id = c.resource_id AND n.hash = c.current_version AND n.valid_from = c.detected_at
WHERE o.partition = ? AND o.sequence > ?
QUALIFY row_number() OVER (PARTITION BY o.sequence, o.ordinal ORDER BY n.valid_to NULLS LAST) = 1
ORDER BY o.sequence, o.ordinal

-- The change, and the versions before and after it, as they were. What waits is found first, and then looked for among
-- all changes and versions: these may be many millions.
WITH waiting AS MATERIALIZED (
    SELECT
        o.sequence, o.ordinal, c.id, c.type, c.baseline, c.resource_id, c.previous_version, c.current_version, c.diff,
        c.detected_at, c.scan_id, c.details, c.earlier_life
    FROM changes c
    JOIN outbox o ON c.id = o.change_id
    WHERE o.partition = ? AND o.sequence > ?
), around AS MATERIALIZED (
    SELECT s.* FROM stored s SEMI JOIN waiting w ON w.resource_id = s.resource_id
), recent AS MATERIALIZED (
    SELECT
        w.sequence, w.ordinal,
        count(*) FILTER (h.detected_at > w.detected_at - INTERVAL 7 DAY) AS in_7_days,
        count(*) AS in_30_days
    FROM changes h
    JOIN waiting w USING (resource_id)
    WHERE NOT h.baseline AND h.detected_at <= w.detected_at AND h.detected_at > w.detected_at - INTERVAL 30 DAY
    GROUP BY ALL
)
SELECT
    w.sequence, w.id, w.type, w.baseline, k.key,
    version_text(w.previous_version), version_text(w.current_version), w.diff, epoch_us(w.detected_at), w.scan_id,
    w.details, w.earlier_life,
    p.version, n.version, epoch_us(coalesce(n.first_seen, p.first_seen)),
    coalesce(r.in_7_days, 0), coalesce(r.in_30_days, 0)
FROM waiting w
JOIN keys k USING (resource_id)
LEFT JOIN around p ON p.resource_id = w.resource_id AND p.hash = w.previous_version AND p.valid_to = w.detected_at
LEFT JOIN around n ON n.resource_id = w.resource_id AND n.hash = w.current_version AND n.valid_from = w.detected_at
LEFT JOIN recent r ON r.sequence = w.sequence AND r.ordinal = w.ordinal
QUALIFY row_number() OVER (PARTITION BY w.sequence, w.ordinal ORDER BY n.valid_to NULLS LAST) = 1
ORDER BY w.sequence, w.ordinal

-- A moment at which nothing was open has one row, without a severity.
WITH moments AS (
    SELECT as_of FROM range(instant($1), present() + INTERVAL 1 MICROSECOND, to_seconds($2)) moment(as_of)
), violations AS (
    SELECT severity, opened_at, closed_at
    FROM violation_log
    WHERE (closed_at IS NULL OR closed_at > instant($1)) AND in_scope(account, region, type, $3, $4, $5)
)
SELECT rfc3339(m.as_of) AS as_of, v.severity, count(v.opened_at) AS violations
FROM moments m
LEFT JOIN violations v ON v.opened_at <= m.as_of AND (v.closed_at IS NULL OR v.closed_at > m.as_of)
GROUP BY m.as_of, v.severity
ORDER BY m.as_of, v.severity

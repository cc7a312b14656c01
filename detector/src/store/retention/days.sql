-- The days before $1 (microseconds) that this rule, $2, has not looked at since a version that ended in them was
-- written; oldest first, as microseconds of their beginning.
WITH days AS (
    -- a version that ended at midnight ended with the day before
    SELECT (epoch_us(valid_to) - 1) // 86_400_000_000 AS day, max(closed_in) AS newest
    FROM closed
    WHERE valid_to <= utc($1)
    GROUP BY day
)
SELECT day * 86_400_000_000
FROM days d
ANTI JOIN thinned t ON t.rule = $2 AND t.day = DATE '1970-01-01' + d.day::INTEGER AND t.thinned_in >= d.newest
ORDER BY day

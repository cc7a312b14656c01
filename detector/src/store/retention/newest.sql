-- Microseconds; null in an empty history.
SELECT epoch_us(greatest(
    (SELECT max(finished_at) FROM scans), (SELECT max(valid_to) FROM closed), (SELECT max(last_seen) FROM current)
))

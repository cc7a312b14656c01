-- Numbers and times are in the text: only then does DuckDB skip what lies outside.
INSERT INTO lives.ended
SELECT * EXCLUDE (closed_in) REPLACE (tags::JSON::VARCHAR AS tags)
FROM closed
WHERE closed_in >= $closed_in AND (closed_in > $closed_in OR valid_to > TIMESTAMPTZ '$until')
    AND closed_in <= $to_closed_in AND (closed_in < $to_closed_in OR valid_to <= TIMESTAMPTZ '$to_until')
ORDER BY resource_id, valid_from, valid_to

-- Where the first $many versions end that lives.ended does not have yet; nothing where there are fewer. They are asked for
-- as they lie, which is in this order but for those that retention has extended: so there may be some more or fewer.
SELECT closed_in, valid_to::VARCHAR
FROM closed
WHERE closed_in >= $closed_in AND (closed_in > $closed_in OR valid_to > TIMESTAMPTZ '$until')
LIMIT 1 OFFSET $many - 1

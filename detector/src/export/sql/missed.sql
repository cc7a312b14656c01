-- Whether versions went, after transaction $1, that were closed after $2: an export up to there never had them, and
-- has the version before them with an end that is no more true.
SELECT count(*) > 0
FROM thinned
WHERE thinned_in > $1 AND touched_closed_in > $2

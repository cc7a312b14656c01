-- Also where nothing went: the day is not looked at again until a version is written that had ended on it.
INSERT INTO thinned
SELECT
    $1, DATE '1970-01-01' + ($2::BIGINT // 86_400_000_000)::INTEGER, utc($3), (SELECT number FROM commits),
    count(*) FILTER (goes),
    count(*) FILTER (NOT goes AND extended_to > valid_to),
    max(closed_in) FILTER (goes OR extended_to > valid_to)
FROM thinning

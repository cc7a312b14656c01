-- 5,000 versions of 2 KB are what one answer can hold beside detection
SELECT sum(versions)::BIGINT AS versions, greatest(1, ceil(sum(versions) / 5000))::INTEGER AS parts
FROM replay_size($1, $2, $3, $4, $5)

SELECT
    resource_id, epoch_us(max(valid_to)), epoch_us(arg_max(first_seen, valid_to)), arg_max(version, valid_to)
FROM closed
WHERE ended_by = 'disappeared' AND resource_id IN (SELECT unnest(string_split(?, ',')::UBIGINT[]))
GROUP BY resource_id

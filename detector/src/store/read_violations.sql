SELECT
    resource_id, policy, rule, severity, message, suggestion, bundle, epoch_us(opened_at), opened_by
FROM violations
WHERE closed_at IS NULL AND resource_id IN (SELECT unnest(string_split(?, ',')::UBIGINT[]))
ORDER BY resource_id, opened_at, policy, rule

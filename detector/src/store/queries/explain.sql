SELECT meant, finding, decision_id, rfc3339(happened_at) AS happened_at, step, step_id AS id, details, key
FROM explanation($1)

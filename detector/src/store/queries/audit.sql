SELECT rfc3339(happened_at) AS happened_at, step, what, step_id AS id, caused_by, key
FROM audit($1)

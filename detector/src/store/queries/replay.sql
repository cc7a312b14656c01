SELECT key, step, rfc3339(happened_at) AS at, details
FROM replay($1, $2, $6, $7, $3, $4, $5)

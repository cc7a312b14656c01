SELECT a.history_id::VARCHAR, c.number, rfc3339(now())
FROM about a CROSS JOIN commits c

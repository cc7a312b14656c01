INSERT INTO positions
SELECT stream, partition, applied, resume
FROM (VALUES $rows) moved (stream, partition, applied, resume)
ANTI JOIN positions USING (stream, partition)

UPDATE positions
SET applied = moved.applied, resume = moved.resume
FROM (VALUES $rows) moved (stream, partition, applied, resume)
WHERE positions.stream = moved.stream AND positions.partition = moved.partition

SELECT rowid
FROM current
WHERE resource_id IN (SELECT unnest(string_split(?, ',')::UBIGINT[]))
ORDER BY rowid

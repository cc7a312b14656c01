-- One row for each column of a type that has a table; one without a column for a type that has none.
SELECT t.name, c.path, c.name, c.data_type
FROM fields.types t
LEFT JOIN fields.columns c USING (type)
WHERE t.type = ?
ORDER BY c.ordinal

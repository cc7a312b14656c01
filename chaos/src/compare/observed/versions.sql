SELECT key, version, name, status, tags, attributes, relations, valid_to IS NULL AS is_current
FROM versions
WHERE account = getvariable('observed')

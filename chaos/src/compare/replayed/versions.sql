SELECT * EXCLUDE (resource_id) FROM versions WHERE account <> getvariable('observed')

SELECT key FROM versions WHERE valid_to IS NULL AND account <> getvariable('observed')

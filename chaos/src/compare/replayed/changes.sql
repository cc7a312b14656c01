SELECT k.key, c.* FROM changes c JOIN keys k USING (resource_id) WHERE k.account <> getvariable('observed')

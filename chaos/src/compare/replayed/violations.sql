SELECT k.key, v.* FROM violations v JOIN keys k USING (resource_id) WHERE k.account <> getvariable('observed')

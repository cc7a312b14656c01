SELECT k.key, d.* FROM decisions d JOIN keys k USING (resource_id) WHERE k.account <> getvariable('observed')

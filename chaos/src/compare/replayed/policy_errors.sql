SELECT k.key, p.* FROM policy_errors p JOIN keys k USING (resource_id) WHERE k.account <> getvariable('observed')

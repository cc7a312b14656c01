SELECT
    change, key, provider, account, region, type, id, name, diff, cost_before, cost_after,
    previous_version, current_version,
    rfc3339(previous_valid_from) AS previous_valid_from, rfc3339(current_valid_from) AS current_valid_from
FROM diff_between($1, $2)
WHERE in_scope(account, region, type, $3, $4, $5)
ORDER BY account, region, type, change, key

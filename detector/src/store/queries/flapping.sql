SELECT
    key, account, region, type, changes, returns, disappearances,
    rfc3339(first_change_at) AS first_change_at, rfc3339(last_change_at) AS last_change_at, last_details
FROM flapping($1, at_least := $2::BIGINT)
WHERE in_scope(account, region, type, $3, $4, $5)
ORDER BY changes DESC, key

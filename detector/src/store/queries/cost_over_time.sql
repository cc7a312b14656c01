-- $3 names what is summed by: provider, account, region, type, or tag with its key in $4.
SELECT
    rfc3339(c.as_of) AS as_of,
    CASE $3
        WHEN 'provider' THEN provider WHEN 'account' THEN account WHEN 'region' THEN region WHEN 'type' THEN type
        ELSE tag
    END AS name,
    sum(resources)::BIGINT AS resources,
    round(sum(monthly_cost_usd), 2) AS monthly_cost_usd
FROM cost_over_time($1, step := $2, by_tag := $4) c
WHERE in_scope(account, region, type, $5, $6, $7)
GROUP BY c.as_of, name
ORDER BY c.as_of, name NULLS LAST

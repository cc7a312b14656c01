-- $2 names what is summed by: provider, account, region, type, or tag with its key in $3.
SELECT
    CASE $2
        WHEN 'provider' THEN provider WHEN 'account' THEN account WHEN 'region' THEN region WHEN 'type' THEN type
        ELSE tag
    END AS name,
    sum(resources)::BIGINT AS resources,
    sum(estimated)::BIGINT AS estimated,
    round(sum(monthly_cost_usd), 2) AS monthly_cost_usd
FROM cost_at($1, by_tag := $3)
WHERE in_scope(account, region, type, $4, $5, $6)
GROUP BY name
ORDER BY monthly_cost_usd DESC, name NULLS LAST

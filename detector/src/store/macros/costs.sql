CREATE OR REPLACE MACRO cost_at(t, by_tag := NULL) AS TABLE
SELECT
    provider, account, region, type, tags[by_tag] AS tag,
    count(*) AS resources,
    count(monthly_cost_usd) AS estimated,
    coalesce(sum(monthly_cost_usd), 0) AS monthly_cost_usd
FROM resources_at(t)
GROUP BY ALL
ORDER BY monthly_cost_usd DESC, provider, account, region, type, tag;
COMMENT ON MACRO TABLE cost_at IS
'Estimated monthly cost per provider, account, region, type and value of a tag, where one is named, at that time; estimated counts the resources that have an estimate';

-- Versions that were open at since or began later, each as what it adds when it begins and takes away when it ends;
-- the cost of a moment is the sum up to it.
CREATE OR REPLACE MACRO cost_over_time(since, step := '1d', by_tag := NULL) AS TABLE
WITH moments AS (
    SELECT unnest(range(instant(since), present() + INTERVAL 1 MICROSECOND, present() - instant(step))) AS as_of
), steps AS (
    SELECT
        provider, account, region, type, tags[by_tag] AS tag, unnest([
            {moment: greatest(valid_from, instant(since)), resources: 1, cost: monthly_cost_usd},
            {moment: valid_to, resources: -1, cost: -monthly_cost_usd}
        ], recursive := true)
    FROM versions
    WHERE valid_from <= present() AND (valid_to IS NULL OR valid_to > instant(since))
), sums AS (
    SELECT as_of, provider, account, region, type, tag, sum(s.resources) AS resources, sum(s.cost) AS cost
    FROM steps s
    ASOF JOIN moments m ON m.as_of >= s.moment
    GROUP BY ALL
), places AS (
    SELECT DISTINCT provider, account, region, type, tag FROM sums
)
SELECT
    m.as_of, p.provider, p.account, p.region, p.type, p.tag,
    (sum(coalesce(s.resources, 0)) OVER running)::BIGINT AS resources,
    round(sum(coalesce(s.cost, 0)) OVER running, 6) AS monthly_cost_usd
FROM moments m CROSS JOIN places p
LEFT JOIN sums s ON (s.as_of, s.provider, s.account, s.region, s.type) = (m.as_of, p.provider, p.account, p.region, p.type)
    AND s.tag IS NOT DISTINCT FROM p.tag
WINDOW running AS (PARTITION BY p.provider, p.account, p.region, p.type, p.tag ORDER BY m.as_of)
ORDER BY ALL;
COMMENT ON MACRO TABLE cost_over_time IS
'Resources and estimated monthly cost at that time and every step (1d) after it until now, per provider, account, region, type and value of a tag, where one is named';

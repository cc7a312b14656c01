SELECT DISTINCT provider, account, region, type FROM temp.all_keys
UNION
SELECT DISTINCT provider, account, region, type FROM temp.all_scans

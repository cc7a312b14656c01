SELECT DISTINCT provider, account, region, type, scope FROM current

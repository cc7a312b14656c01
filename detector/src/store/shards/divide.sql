-- What of all shards belongs into this one, which is empty: own_places has its scopes; $index is its number of $of.
INSERT INTO keys SELECT * FROM temp.all_keys SEMI JOIN own_places USING (provider, account, region, type);
INSERT INTO current SELECT * FROM temp.all_current SEMI JOIN own_places USING (provider, account, region, type);
-- in the order in which zone maps find a time; no export has these files yet
INSERT INTO closed
SELECT * REPLACE (0 AS closed_in)
FROM temp.all_closed SEMI JOIN own_places USING (provider, account, region, type)
ORDER BY valid_to;
INSERT INTO scans SELECT * FROM temp.all_scans SEMI JOIN own_places USING (provider, account, region, type);
INSERT INTO changes
SELECT c.*
FROM temp.all_changes c
SEMI JOIN own_places o ON (c.provider, c.account, c.region, c.resource_type) = (o.provider, o.account, o.region, o.type)
ORDER BY detected_at;
INSERT INTO violations SELECT * FROM temp.all_violations SEMI JOIN keys USING (resource_id);
INSERT INTO policy_errors SELECT * FROM temp.all_policy_errors SEMI JOIN keys USING (resource_id);
INSERT INTO decisions SELECT * FROM temp.all_decisions SEMI JOIN keys USING (resource_id);
INSERT INTO executions SELECT * FROM temp.all_executions SEMI JOIN keys USING (resource_id);
INSERT INTO approvals FROM temp.all_approvals;
INSERT INTO deliveries FROM temp.all_deliveries;
INSERT INTO outbox FROM temp.all_outbox WHERE "partition" * $of // 16 = $index;
INSERT INTO rejections
FROM temp.all_rejections
WHERE CASE WHEN stream IN ('OBSERVATION', 'POLICY') THEN "partition" * $of // 16 = $index ELSE $index = 0 END;
INSERT INTO positions
FROM temp.all_positions
WHERE stream IN ('OBSERVATION', 'POLICY') AND "partition" * $of // 16 = $index;
-- The other streams are read whole by each of several. Where they have been read furthest back; what is read again is
-- not stored again. A partition that nothing was read of has no row.
INSERT INTO positions
WITH furthest AS (
    SELECT
        stream,
        CASE WHEN count(*) < $from * CASE WHEN stream = 'DECISION' AND $from = 1 THEN 16 ELSE 1 END THEN 0 ELSE min(applied) END AS applied
    FROM temp.all_positions
    WHERE stream NOT IN ('OBSERVATION', 'POLICY')
    GROUP BY stream
)
SELECT stream, unnest(range(CASE WHEN stream = 'DECISION' AND $of = 1 THEN 16 ELSE 1 END)), applied, applied + 1
FROM furthest;
UPDATE about SET begun_at = (SELECT min(begun_at) FROM temp.all_about);
-- made anew of what is current, at the next start
UPDATE fields.layout SET number = 0;
CHECKPOINT;

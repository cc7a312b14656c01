CREATE OR REPLACE TEMP TABLE staged_touched (resource_id UBIGINT, last_seen BIGINT);

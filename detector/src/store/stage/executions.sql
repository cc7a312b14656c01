CREATE OR REPLACE TEMP TABLE staged_executions (
    id VARCHAR, decision_id VARCHAR, resource_id UBIGINT, outcome VARCHAR, before VARCHAR, after VARCHAR, error VARCHAR,
    executed_at BIGINT
);

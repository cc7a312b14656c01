CREATE OR REPLACE TEMP TABLE staged_decisions (
    id VARCHAR, action VARCHAR, resource_id UBIGINT, severity VARCHAR, reason VARCHAR, finding VARCHAR, state VARCHAR,
    caused_by VARCHAR, requires_approval BOOLEAN, not_before BIGINT, decided_at BIGINT, metadata VARCHAR,
    approve_by BIGINT
);

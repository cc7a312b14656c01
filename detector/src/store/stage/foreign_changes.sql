CREATE OR REPLACE TEMP TABLE staged_foreign_changes (
    id VARCHAR, type VARCHAR, baseline BOOLEAN, resource_id UBIGINT,
    provider VARCHAR, account VARCHAR, region VARCHAR, resource_type VARCHAR, scope VARCHAR, local_id VARCHAR, diff VARCHAR, detected_at BIGINT, scan_id VARCHAR, details VARCHAR,
    cause VARCHAR, earlier_life VARCHAR
);

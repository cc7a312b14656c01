CREATE OR REPLACE TEMP TABLE staged_ended (resource_id UBIGINT);
CREATE OR REPLACE TEMP TABLE staged_versions (
    resource_id UBIGINT, version VARCHAR, provider VARCHAR, account VARCHAR, region VARCHAR, type VARCHAR,
    scope VARCHAR, local_id VARCHAR, name VARCHAR, arn VARCHAR, status VARCHAR, tags VARCHAR,
    tags_carried BOOLEAN, created_at BIGINT, monthly_cost_usd DOUBLE, monthly_cost_source VARCHAR,
    attributes JSON, relations JSON, valid_from BIGINT, valid_to BIGINT, first_seen BIGINT,
    last_seen BIGINT, scan_id VARCHAR, ended_by VARCHAR
);
CREATE OR REPLACE TEMP TABLE staged_changes (
    ordinal UINTEGER, sequence UBIGINT, id VARCHAR, type VARCHAR, baseline BOOLEAN, resource_id UBIGINT,
    provider VARCHAR, account VARCHAR, region VARCHAR, resource_type VARCHAR, scope VARCHAR, local_id VARCHAR,
    previous_version VARCHAR, current_version VARCHAR, diff VARCHAR, detected_at BIGINT, scan_id VARCHAR,
    details VARCHAR, earlier_life VARCHAR, scope_resources UBIGINT
);

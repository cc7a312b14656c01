-- Temporary tables live in memory: a batch is appended here and then moved by set-based statements.
CREATE OR REPLACE TEMP TABLE staged_keys (
    resource_id UBIGINT, key VARCHAR, provider VARCHAR, account VARCHAR, region VARCHAR, type VARCHAR, id VARCHAR
);
CREATE OR REPLACE TEMP TABLE staged_ends (
    resource_id UBIGINT, valid_to BIGINT, last_seen BIGINT, ended_by VARCHAR
);
CREATE OR REPLACE TEMP TABLE staged_versions (
    resource_id UBIGINT, version UHUGEINT, name VARCHAR, arn VARCHAR, status VARCHAR, tags VARCHAR,
    tags_carried BOOLEAN, created_at BIGINT, monthly_cost_usd DOUBLE, monthly_cost_source VARCHAR,
    attributes VARCHAR, relations VARCHAR, valid_from BIGINT, valid_to BIGINT, first_seen BIGINT,
    last_seen BIGINT, scan_id VARCHAR, ended_by VARCHAR
);
CREATE OR REPLACE TEMP TABLE staged_touched (resource_id UBIGINT, last_seen BIGINT);
CREATE OR REPLACE TEMP TABLE staged_scans (
    scan_id VARCHAR, provider VARCHAR, account VARCHAR, region VARCHAR, type VARCHAR, filter VARCHAR,
    started_at BIGINT, finished_at BIGINT, outcome VARCHAR, observed UBIGINT, received UBIGINT,
    api_calls UBIGINT, errors VARCHAR, verdict VARCHAR
);
CREATE OR REPLACE TEMP TABLE staged_changes (
    ordinal UINTEGER, sequence UBIGINT, id VARCHAR, type VARCHAR, baseline BOOLEAN, resource_id UBIGINT,
    previous_version UHUGEINT, current_version UHUGEINT, diff VARCHAR, detected_at BIGINT, scan_id VARCHAR,
    details VARCHAR, earlier_life VARCHAR
);

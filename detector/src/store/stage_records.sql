CREATE OR REPLACE TEMP TABLE staged_record_keys (
    resource_id UBIGINT, key VARCHAR, provider VARCHAR, account VARCHAR, region VARCHAR, type VARCHAR, id VARCHAR
);
CREATE OR REPLACE TEMP TABLE staged_messages (kind VARCHAR, resource_id UBIGINT, message VARCHAR);
CREATE OR REPLACE TEMP TABLE staged_settled (resource_id UBIGINT);
CREATE OR REPLACE TEMP TABLE staged_violations (
    resource_id UBIGINT, policy VARCHAR, rule VARCHAR, severity VARCHAR, message VARCHAR, suggestion VARCHAR,
    bundle VARCHAR, opened_at BIGINT, closed_at BIGINT, opened_by VARCHAR, closed_by VARCHAR
);

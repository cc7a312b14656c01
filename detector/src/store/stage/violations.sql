CREATE OR REPLACE TEMP TABLE staged_settled (resource_id UBIGINT);
CREATE OR REPLACE TEMP TABLE staged_violations (
    resource_id UBIGINT, policy VARCHAR, rule VARCHAR, severity VARCHAR, message VARCHAR, suggestion VARCHAR,
    bundle VARCHAR, opened_at BIGINT, closed_at BIGINT, opened_by VARCHAR, closed_by VARCHAR
);

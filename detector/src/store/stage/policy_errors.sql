CREATE OR REPLACE TEMP TABLE staged_policy_errors (
    result_id VARCHAR, resource_id UBIGINT, policy VARCHAR, message VARCHAR, bundle VARCHAR, evaluated_at BIGINT
);

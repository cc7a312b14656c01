CREATE OR REPLACE TEMP TABLE staged_fields (
    type VARCHAR, key VARCHAR, provider VARCHAR, account VARCHAR, region VARCHAR, id VARCHAR, name VARCHAR, arn VARCHAR,
    status VARCHAR, tags VARCHAR, created_at BIGINT, monthly_cost_usd DOUBLE, valid_from BIGINT, first_seen BIGINT,
    resource_id UBIGINT, cells VARCHAR[]
);

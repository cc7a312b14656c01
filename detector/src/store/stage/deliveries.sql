CREATE OR REPLACE TEMP TABLE staged_deliveries (
    id VARCHAR, decision_id VARCHAR, channel VARCHAR, outcome VARCHAR, attempts UINTEGER, delivered_at BIGINT, error VARCHAR
);

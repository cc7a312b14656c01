CREATE OR REPLACE TEMP TABLE staged_scans (
    scan_id VARCHAR, provider VARCHAR, account VARCHAR, region VARCHAR, type VARCHAR, filter VARCHAR,
    started_at BIGINT, finished_at BIGINT, outcome VARCHAR, observed UBIGINT, received UBIGINT,
    api_calls UBIGINT, errors VARCHAR, verdict VARCHAR
);

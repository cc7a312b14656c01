-- Temporary tables live in memory: a batch is appended here and then moved by set-based statements.
CREATE OR REPLACE TEMP TABLE staged_keys (
    resource_id UBIGINT, key VARCHAR, provider VARCHAR, account VARCHAR, region VARCHAR, type VARCHAR, id VARCHAR
);

-- A text that is read as JSON is looked through once to see that it is, and once for what is asked of it. Of what is
-- stored it is known: half of what a question about attributes took. Ended versions stay texts: there are many more.
ALTER TABLE current RENAME TO current_before;
CREATE TABLE current (
    resource_id UBIGINT NOT NULL,
    version UHUGEINT NOT NULL,
    provider VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    region VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    scope VARCHAR NOT NULL,
    local_id VARCHAR NOT NULL,
    name VARCHAR,
    arn VARCHAR,
    status VARCHAR,
    tags MAP(VARCHAR, VARCHAR),
    tags_carried BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ,
    monthly_cost_usd DOUBLE,
    monthly_cost_source VARCHAR,
    attributes JSON NOT NULL USING COMPRESSION zstd,
    relations JSON USING COMPRESSION zstd,
    valid_from TIMESTAMPTZ NOT NULL,
    valid_to TIMESTAMPTZ,
    first_seen TIMESTAMPTZ NOT NULL,
    last_seen TIMESTAMPTZ NOT NULL,
    scan_id VARCHAR,
    ended_by VARCHAR
);
INSERT INTO current FROM current_before;
DROP TABLE current_before;
COMMENT ON TABLE current IS 'The current version of every existing resource; read the view resources';

-- A table of ended versions by resource, under the name $name: the columns of closed.
CREATE TABLE IF NOT EXISTS lives.$name (
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
    attributes VARCHAR NOT NULL USING COMPRESSION zstd,
    relations VARCHAR USING COMPRESSION zstd,
    valid_from TIMESTAMPTZ NOT NULL,
    valid_to TIMESTAMPTZ NOT NULL,
    first_seen TIMESTAMPTZ NOT NULL,
    last_seen TIMESTAMPTZ NOT NULL,
    scan_id VARCHAR,
    ended_by VARCHAR NOT NULL
);
COMMENT ON TABLE lives.$name IS '$what';

-- A table of ended versions by resource, under the name $name: the columns of closed, tags as JSON. Few rows are read of
-- it at a time: of a dictionary, which DuckDB would compress texts with that repeat, it reads all of a segment's each time.
CREATE TABLE IF NOT EXISTS lives.$name (
    resource_id UBIGINT NOT NULL,
    version VARCHAR NOT NULL USING COMPRESSION zstd,
    provider VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    region VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    scope VARCHAR NOT NULL,
    local_id VARCHAR NOT NULL,
    name VARCHAR USING COMPRESSION zstd,
    arn VARCHAR USING COMPRESSION zstd,
    status VARCHAR,
    tags VARCHAR USING COMPRESSION zstd,
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

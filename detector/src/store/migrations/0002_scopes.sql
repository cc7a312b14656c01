CREATE TABLE about (history_id UUID NOT NULL, begun_at TIMESTAMPTZ NOT NULL);
INSERT INTO about VALUES (uuid(), now());
COMMENT ON TABLE about IS 'Which history this is: one row';
COMMENT ON COLUMN about.history_id IS 'Made with the file: an export goes on with the history it began with';
COMMENT ON COLUMN about.begun_at IS 'When the file got its id';

-- Versions and changes say where they are themselves: most questions need no join with all keys then, which is
-- what took their time. It is 12 bytes a row.
ALTER TABLE keys ADD COLUMN id_hash UBIGINT;
UPDATE keys SET id_hash = md5_number_lower(split_part(key, '/', -1));
COMMENT ON COLUMN keys.id_hash IS 'md5_number_lower of the last part of the key: numbers are found faster than texts';

CREATE TEMP TABLE places AS
SELECT * EXCLUDE (key), regexp_extract(key, '^(.*)/([^/]*)$', ['scope', 'local_id']) AS place
FROM keys;

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
    attributes VARCHAR NOT NULL USING COMPRESSION zstd,
    relations VARCHAR USING COMPRESSION zstd,
    valid_from TIMESTAMPTZ NOT NULL,
    valid_to TIMESTAMPTZ,
    first_seen TIMESTAMPTZ NOT NULL,
    last_seen TIMESTAMPTZ NOT NULL,
    scan_id VARCHAR,
    ended_by VARCHAR
);
INSERT INTO current
SELECT
    v.resource_id, v.version, k.provider, k.account, k.region, k.type, k.place.scope, k.place.local_id,
    v.name, v.arn, v.status, v.tags, v.tags_carried, v.created_at, v.monthly_cost_usd,
    v.monthly_cost_source, v.attributes, v.relations, v.valid_from, v.valid_to, v.first_seen,
    v.last_seen, v.scan_id, v.ended_by
FROM current_before v
JOIN places k USING (resource_id);
DROP TABLE current_before;
COMMENT ON TABLE current IS 'The current version of every existing resource; read the view resources';

ALTER TABLE closed RENAME TO closed_before;
CREATE TABLE closed (
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
    ended_by VARCHAR NOT NULL,
    closed_in UBIGINT NOT NULL
);
INSERT INTO closed
SELECT
    v.resource_id, v.version, k.provider, k.account, k.region, k.type, k.place.scope, k.place.local_id,
    v.name, v.arn, v.status, v.tags, v.tags_carried, v.created_at, v.monthly_cost_usd,
    v.monthly_cost_source, v.attributes, v.relations, v.valid_from, v.valid_to, v.first_seen,
    v.last_seen, v.scan_id, v.ended_by, 0
FROM closed_before v
JOIN places k USING (resource_id);
DROP TABLE closed_before;
COMMENT ON TABLE closed IS 'Versions that have ended, in order of their end; read the view versions';

ALTER TABLE changes RENAME TO changes_before;
CREATE TABLE changes (
    id VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    baseline BOOLEAN NOT NULL,
    resource_id UBIGINT NOT NULL,
    provider VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    region VARCHAR NOT NULL,
    resource_type VARCHAR NOT NULL,
    scope VARCHAR NOT NULL,
    local_id VARCHAR NOT NULL,
    previous_version UHUGEINT,
    current_version UHUGEINT,
    diff JSON,
    detected_at TIMESTAMPTZ NOT NULL,
    scan_id VARCHAR,
    details VARCHAR NOT NULL,
    cause JSON,
    earlier_life JSON
);
INSERT INTO changes
SELECT
    c.id, c.type, c.baseline, c.resource_id, k.provider, k.account, k.region, k.type, k.place.scope, k.place.local_id,
    c.previous_version, c.current_version, c.diff, c.detected_at, c.scan_id, c.details, c.cause, c.earlier_life
FROM changes_before c
JOIN places k USING (resource_id);
DROP TABLE changes_before;
COMMENT ON TABLE changes IS 'Every detected change; read the view change_log for the resource''s key';

DROP TABLE places;

-- its query is in read_outbox.sql now
DROP VIEW IF EXISTS stored;

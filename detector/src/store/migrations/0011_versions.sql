-- Hashes of versions are texts, as messages write them: of numbers, these texts were made anew for each answer, which took
-- half of what all keys and hashes as of a time did. A text takes two bytes more. Whole tables are written again: DuckDB
-- 1.5.5 cannot replay from its log a change of a column's type by a function.
CREATE MACRO text_of(version) AS lower(lpad(hex(version), 32, '0'));

ALTER TABLE current RENAME TO current_before;
CREATE TABLE current (
    resource_id UBIGINT NOT NULL,
    version VARCHAR NOT NULL,
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
    ended_by VARCHAR,
    tags_text VARCHAR USING COMPRESSION zstd
);
INSERT INTO current SELECT * REPLACE (text_of(version) AS version) FROM current_before;
DROP TABLE current_before;
COMMENT ON TABLE current IS 'The current version of every existing resource; read the view resources';

ALTER TABLE closed RENAME TO closed_before;
CREATE TABLE closed (
    resource_id UBIGINT NOT NULL,
    version VARCHAR NOT NULL,
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
INSERT INTO closed SELECT * REPLACE (text_of(version) AS version) FROM closed_before;
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
    previous_version VARCHAR,
    current_version VARCHAR,
    diff JSON,
    detected_at TIMESTAMPTZ NOT NULL,
    scan_id VARCHAR,
    details VARCHAR NOT NULL,
    cause JSON,
    earlier_life JSON
);
INSERT INTO changes
SELECT * REPLACE (text_of(previous_version) AS previous_version, text_of(current_version) AS current_version)
FROM changes_before;
DROP TABLE changes_before;
COMMENT ON TABLE changes IS 'Every detected change; read the view change_log for the resource''s key';

DROP MACRO text_of;
DROP MACRO IF EXISTS version_text;
-- Made anew of closed, in the background.
DROP TABLE IF EXISTS lives.ended;
DROP TABLE IF EXISTS lives.next;
UPDATE lives.state SET closed_in = 0, until = '-infinity', sorted = 0, added = 0, slices = 0, slice = 0;

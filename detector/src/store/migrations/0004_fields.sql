-- Every resource type is a table: src/store/fields. All of it is made of current, and can be made again.
CREATE SCHEMA fields;

CREATE TABLE fields.layout (number UINTEGER NOT NULL);
INSERT INTO fields.layout VALUES (0);
COMMENT ON TABLE fields.layout IS 'How the tables of types are made: one row; those of another layout are made anew when a detector opens the file';
COMMENT ON COLUMN fields.layout.number IS 'Which layout; 0 where they are not all made yet';

CREATE TABLE fields.types (type VARCHAR NOT NULL, name VARCHAR NOT NULL);
COMMENT ON TABLE fields.types IS 'The resource types that have a table here, and a view of the same name in main';
COMMENT ON COLUMN fields.types.type IS 'The cloud''s own resource type, such as ec2:instance';
COMMENT ON COLUMN fields.types.name IS 'Name of its table and of its view';

CREATE TABLE fields.columns (
    type VARCHAR NOT NULL,
    ordinal USMALLINT NOT NULL,
    path VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    data_type VARCHAR NOT NULL
);
COMMENT ON TABLE fields.columns IS 'The attributes that are columns';
COMMENT ON COLUMN fields.columns.type IS 'The resource type';
COMMENT ON COLUMN fields.columns.ordinal IS 'Its place in fields.recent.cells, from 1';
COMMENT ON COLUMN fields.columns.path IS 'Where in attributes it is: a JSON Pointer';
COMMENT ON COLUMN fields.columns.name IS 'Name of the column';
COMMENT ON COLUMN fields.columns.data_type IS 'BOOLEAN, BIGINT, DOUBLE or VARCHAR';

-- A table of a hundred columns costs a hundred blocks of memory for one row that is added. So rows of all types wait
-- here until there are enough of one type.
CREATE TABLE fields.recent (
    type VARCHAR NOT NULL,
    key VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    region VARCHAR NOT NULL,
    id VARCHAR NOT NULL,
    name VARCHAR,
    arn VARCHAR,
    status VARCHAR,
    tags MAP(VARCHAR, VARCHAR),
    created_at TIMESTAMPTZ,
    monthly_cost_usd DOUBLE,
    valid_from TIMESTAMPTZ NOT NULL,
    first_seen TIMESTAMPTZ NOT NULL,
    resource_id UBIGINT NOT NULL,
    cells VARCHAR[] NOT NULL
);
COMMENT ON TABLE fields.recent IS 'Existing resources that are not in the table of their type yet; read the views';
COMMENT ON COLUMN fields.recent.type IS 'The cloud''s own resource type, such as ec2:instance';
COMMENT ON COLUMN fields.recent.key IS 'provider/account/region/type/id, each part percent-encoded';
COMMENT ON COLUMN fields.recent.provider IS 'aws or gcp';
COMMENT ON COLUMN fields.recent.account IS 'AWS account id or GCP project id';
COMMENT ON COLUMN fields.recent.region IS 'Region, or global';
COMMENT ON COLUMN fields.recent.id IS 'The cloud''s own id within provider, account, region and type';
COMMENT ON COLUMN fields.recent.name IS 'Name, where it has one';
COMMENT ON COLUMN fields.recent.arn IS 'Amazon Resource Name, where it has one';
COMMENT ON COLUMN fields.recent.status IS 'Status as the cloud says it, such as running';
COMMENT ON COLUMN fields.recent.tags IS 'Tags as they are written; null where they have never been readable';
COMMENT ON COLUMN fields.recent.created_at IS 'When the cloud says it was made';
COMMENT ON COLUMN fields.recent.monthly_cost_usd IS 'Estimated cost of a month at list prices; null where there is no estimate';
COMMENT ON COLUMN fields.recent.valid_from IS 'When this version was first seen';
COMMENT ON COLUMN fields.recent.first_seen IS 'When the resource was first seen in this life';
COMMENT ON COLUMN fields.recent.resource_id IS '64 bits of a hash of the key; joins views with tables';
COMMENT ON COLUMN fields.recent.cells IS 'Scalar attributes as texts, in the order of fields.columns';

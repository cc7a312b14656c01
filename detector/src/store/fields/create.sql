CREATE TABLE fields.{name} AS SELECT * EXCLUDE (type, cells) FROM fields.recent LIMIT 0;
COMMENT ON TABLE fields.{name} IS 'Existing resources of type {type}, but for those in fields.recent; read the view of the same name';

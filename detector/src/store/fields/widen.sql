ALTER TABLE fields.{name} ALTER COLUMN {column} TYPE {scalar};

ALTER TABLE fields.{name} ADD COLUMN {column} {scalar};

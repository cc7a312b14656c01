DELETE FROM fields.types;
DELETE FROM fields.columns;
DELETE FROM fields.recent;

INSERT INTO fields.{name} BY NAME SELECT * EXCLUDE (type, cells), {cells} FROM fields.recent WHERE type = '{type}';
DELETE FROM fields.recent WHERE type = '{type}';

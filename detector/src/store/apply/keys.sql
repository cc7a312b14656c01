INSERT INTO keys SELECT * FROM staged_keys;

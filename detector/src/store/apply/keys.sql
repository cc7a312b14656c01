INSERT INTO keys SELECT *, md5_number_lower(id) FROM staged_keys;

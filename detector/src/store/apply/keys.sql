INSERT INTO keys SELECT *, md5_number_lower(split_part(key, '/', -1)) FROM staged_keys;

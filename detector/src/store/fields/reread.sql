-- A column of DOUBLE has lost how its numbers were written: 5 and 5.0 are the same.
UPDATE fields.{name} SET {column} = json_extract_string(c.attributes, '{path}')
FROM current c
WHERE c.resource_id = {name}.resource_id AND {name}.{column} IS NOT NULL;

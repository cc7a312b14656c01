-- a row is compared by its digest, and shown by its beginning
CREATE OR REPLACE TEMP TABLE {table} AS
SELECT left(line, 600) AS shown, md5(line) AS digest
FROM (SELECT CAST(to_json(one) AS VARCHAR) AS line FROM ({query}) one)

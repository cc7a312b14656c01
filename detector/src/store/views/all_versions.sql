CREATE OR REPLACE VIEW all_versions AS
SELECT * FROM current
UNION ALL
SELECT * EXCLUDE (closed_in) FROM closed;
COMMENT ON VIEW all_versions IS 'Current and ended versions by the number of their resource; read versions';

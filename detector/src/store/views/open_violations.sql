CREATE OR REPLACE VIEW open_violations AS
SELECT * EXCLUDE (closed_at, closed_by) FROM violation_log WHERE closed_at IS NULL;
COMMENT ON VIEW open_violations IS 'Violations that have not been mended';

CREATE OR REPLACE MACRO violations_at(t) AS TABLE
SELECT * EXCLUDE (moment)
FROM (SELECT *, instant(t) AS moment FROM violation_log)
WHERE opened_at <= moment AND (closed_at IS NULL OR closed_at > moment);
COMMENT ON MACRO TABLE violations_at IS
'Violations that were open at that time: columns of violation_log; severity and message are those of the last evaluation';

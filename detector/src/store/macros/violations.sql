CREATE OR REPLACE MACRO violations_at(t) AS TABLE
SELECT * FROM violation_log
WHERE opened_at <= instant(t) AND (closed_at IS NULL OR closed_at > instant(t));
COMMENT ON MACRO TABLE violations_at IS
'Violations that were open at that time: columns of violation_log; severity and message are those of the last evaluation';

CREATE TABLE about (history_id UUID NOT NULL, begun_at TIMESTAMPTZ NOT NULL);
INSERT INTO about VALUES (uuid(), now());
COMMENT ON TABLE about IS 'Which history this is: one row';
COMMENT ON COLUMN about.history_id IS 'Made with the file: an export goes on with the history it began with';
COMMENT ON COLUMN about.begun_at IS 'When the file got its id';

ALTER TABLE closed ADD COLUMN closed_in UBIGINT DEFAULT 0;
COMMENT ON COLUMN closed.closed_in IS
'Number of the transaction that closed it, see commits: what is closed later has a greater one. 0 where it was closed before this was kept';

-- its query is in read_outbox.sql now
DROP VIEW IF EXISTS stored;

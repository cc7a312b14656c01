-- Approvals come in time or not at all, what was done can be taken back, and changes say how large their scope was.
ALTER TABLE decisions ADD COLUMN approve_by TIMESTAMPTZ;
COMMENT ON COLUMN decisions.approve_by IS 'An approval that is given later is void';
COMMENT ON COLUMN decisions.state IS 'new, changed, reminder, reopened, suppressed, expired or resolved';
COMMENT ON COLUMN approvals.verdict IS 'approved, denied or undo';
COMMENT ON COLUMN executions.outcome IS 'executing, executed, failed, skipped or undone';
ALTER TABLE outbox ADD COLUMN scope_resources UBIGINT;
COMMENT ON COLUMN outbox.scope_resources IS 'How many resources of its scope were known then';

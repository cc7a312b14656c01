-- Approvals come in time or not at all, and what was done can be taken back.
ALTER TABLE decisions ADD COLUMN approve_by TIMESTAMPTZ;
COMMENT ON COLUMN decisions.approve_by IS 'An approval that is given later is void';
COMMENT ON COLUMN decisions.state IS 'new, changed, reminder, reopened, suppressed, expired or resolved';
COMMENT ON COLUMN approvals.verdict IS 'approved, denied or undo';
COMMENT ON COLUMN executions.outcome IS 'executing, executed, failed, skipped or undone';

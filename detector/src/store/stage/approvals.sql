CREATE OR REPLACE TEMP TABLE staged_approvals (
    id VARCHAR, decision_id VARCHAR, person VARCHAR, verdict VARCHAR, reason VARCHAR, given_at BIGINT
);

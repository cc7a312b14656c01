CREATE TABLE keys (
    resource_id UBIGINT NOT NULL,
    key VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    region VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    id VARCHAR NOT NULL
);
COMMENT ON TABLE keys IS 'The names of all resources ever seen, by the number the other tables know them by';
COMMENT ON COLUMN keys.resource_id IS '64 bits of a hash of the key';
COMMENT ON COLUMN keys.key IS 'provider/account/region/type/id, each part percent-encoded';
COMMENT ON COLUMN keys.provider IS 'aws or gcp';
COMMENT ON COLUMN keys.account IS 'AWS account id or GCP project id';
COMMENT ON COLUMN keys.region IS 'Region, or global';
COMMENT ON COLUMN keys.type IS 'The cloud''s own resource type, such as ec2:instance';
COMMENT ON COLUMN keys.id IS 'The cloud''s own id within provider, account, region and type';

-- The current version of every existing resource. No primary key: a version is replaced within one
-- transaction, which DuckDB's eager constraint check refuses; the detector's index keeps it unique.
CREATE TABLE current (
    resource_id UBIGINT NOT NULL,
    version UHUGEINT NOT NULL,
    name VARCHAR,
    arn VARCHAR,
    status VARCHAR,
    tags MAP(VARCHAR, VARCHAR),
    tags_carried BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ,
    monthly_cost_usd DOUBLE,
    monthly_cost_source VARCHAR,
    attributes VARCHAR NOT NULL USING COMPRESSION zstd,
    relations VARCHAR USING COMPRESSION zstd,
    valid_from TIMESTAMPTZ NOT NULL,
    valid_to TIMESTAMPTZ,
    first_seen TIMESTAMPTZ NOT NULL,
    last_seen TIMESTAMPTZ NOT NULL,
    scan_id VARCHAR,
    ended_by VARCHAR
);
COMMENT ON TABLE current IS 'The current version of every existing resource; read the view resources';

-- Appended in order of valid_to, so that zone maps find a time.
CREATE TABLE closed (
    resource_id UBIGINT NOT NULL,
    version UHUGEINT NOT NULL,
    name VARCHAR,
    arn VARCHAR,
    status VARCHAR,
    tags MAP(VARCHAR, VARCHAR),
    tags_carried BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ,
    monthly_cost_usd DOUBLE,
    monthly_cost_source VARCHAR,
    attributes VARCHAR NOT NULL USING COMPRESSION zstd,
    relations VARCHAR USING COMPRESSION zstd,
    valid_from TIMESTAMPTZ NOT NULL,
    valid_to TIMESTAMPTZ NOT NULL,
    first_seen TIMESTAMPTZ NOT NULL,
    last_seen TIMESTAMPTZ NOT NULL,
    scan_id VARCHAR,
    ended_by VARCHAR NOT NULL
);
COMMENT ON TABLE closed IS 'Versions that have ended, in order of their end; read the view versions';

CREATE TABLE scans (
    scan_id VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    account VARCHAR NOT NULL,
    region VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    filter VARCHAR,
    started_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ NOT NULL,
    outcome VARCHAR NOT NULL,
    observed UBIGINT,
    received UBIGINT NOT NULL,
    api_calls UBIGINT NOT NULL,
    errors JSON,
    verdict VARCHAR NOT NULL
);
COMMENT ON TABLE scans IS 'Every scan of a scope that has ended';
COMMENT ON COLUMN scans.scan_id IS 'The observer''s id of the scan';
COMMENT ON COLUMN scans.provider IS 'aws or gcp';
COMMENT ON COLUMN scans.account IS 'AWS account id or GCP project id';
COMMENT ON COLUMN scans.region IS 'Region, or global';
COMMENT ON COLUMN scans.type IS 'The resource type that was listed';
COMMENT ON COLUMN scans.filter IS 'The filter the listing was narrowed by; such a scan proves no absence';
COMMENT ON COLUMN scans.started_at IS 'Before its first API call';
COMMENT ON COLUMN scans.finished_at IS 'After its last API call';
COMMENT ON COLUMN scans.outcome IS 'complete, partial, failed; abandoned when no report came';
COMMENT ON COLUMN scans.observed IS 'How many observations the observer says it sent';
COMMENT ON COLUMN scans.received IS 'How many distinct observations were received';
COMMENT ON COLUMN scans.api_calls IS 'API requests made, retries included';
COMMENT ON COLUMN scans.errors IS 'What went wrong: a list of {operation, code, message}';
COMMENT ON COLUMN scans.verdict IS 'proved: what it did not see is gone; unknown: absence cannot be told';

CREATE TABLE changes (
    id VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    baseline BOOLEAN NOT NULL,
    resource_id UBIGINT NOT NULL,
    previous_version UHUGEINT,
    current_version UHUGEINT,
    diff JSON,
    detected_at TIMESTAMPTZ NOT NULL,
    scan_id VARCHAR,
    details VARCHAR NOT NULL,
    cause JSON,
    earlier_life JSON
);
COMMENT ON TABLE changes IS 'Every detected change; read the view change_log for the resource''s key';
COMMENT ON COLUMN changes.id IS 'A hash of what caused it: a replay makes the same id';
COMMENT ON COLUMN changes.type IS 'appeared, disappeared, modified, tag_drift or cost_increase';
COMMENT ON COLUMN changes.baseline IS 'True for the first look at a scope: audited, never alerted';
COMMENT ON COLUMN changes.resource_id IS 'The resource, see keys';
COMMENT ON COLUMN changes.previous_version IS 'Hash of the version before; null when it appeared';
COMMENT ON COLUMN changes.current_version IS 'Hash of the version after; null when it disappeared';
COMMENT ON COLUMN changes.diff IS 'What differs: a list of {path, before, after}, paths are JSON Pointers';
COMMENT ON COLUMN changes.detected_at IS 'When the observation, or the scan''s end, that showed it was made';
COMMENT ON COLUMN changes.scan_id IS 'The scan that showed it; null for an observation published by hand';
COMMENT ON COLUMN changes.details IS 'One readable line';
COMMENT ON COLUMN changes.cause IS 'Who did it, when known';
COMMENT ON COLUMN changes.earlier_life IS 'For a resource that came back: {first_seen, disappeared_at, version}';

CREATE TABLE violations (
    resource_id UBIGINT NOT NULL,
    policy VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    severity VARCHAR NOT NULL,
    message VARCHAR NOT NULL,
    suggestion VARCHAR,
    bundle VARCHAR NOT NULL,
    opened_at TIMESTAMPTZ NOT NULL,
    closed_at TIMESTAMPTZ,
    opened_by VARCHAR NOT NULL,
    closed_by VARCHAR
);
COMMENT ON TABLE violations IS 'Every violation of a policy, with the time it was open';
COMMENT ON COLUMN violations.resource_id IS 'The resource, see keys';
COMMENT ON COLUMN violations.policy IS 'The Rego package';
COMMENT ON COLUMN violations.rule IS 'The rule within the policy';
COMMENT ON COLUMN violations.severity IS 'critical, warning or info, as last evaluated';
COMMENT ON COLUMN violations.message IS 'For a person, as last evaluated';
COMMENT ON COLUMN violations.suggestion IS 'How to mend it';
COMMENT ON COLUMN violations.bundle IS 'Hash of the policies that found it last';
COMMENT ON COLUMN violations.opened_at IS 'When it was found first';
COMMENT ON COLUMN violations.closed_at IS 'When it was found mended; null while it is open';
COMMENT ON COLUMN violations.opened_by IS 'Id of the policy result that found it';
COMMENT ON COLUMN violations.closed_by IS 'Id of the policy result that no longer found it';

CREATE TABLE policy_errors (
    result_id VARCHAR NOT NULL,
    resource_id UBIGINT NOT NULL,
    policy VARCHAR NOT NULL,
    message VARCHAR NOT NULL,
    bundle VARCHAR NOT NULL,
    evaluated_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE policy_errors IS 'Policies that could not be evaluated; an error is never a pass';
COMMENT ON COLUMN policy_errors.result_id IS 'Id of the policy result';
COMMENT ON COLUMN policy_errors.resource_id IS 'The resource, see keys';
COMMENT ON COLUMN policy_errors.policy IS 'The Rego package';
COMMENT ON COLUMN policy_errors.message IS 'What the engine said';
COMMENT ON COLUMN policy_errors.bundle IS 'Hash of the policies';
COMMENT ON COLUMN policy_errors.evaluated_at IS 'When';

CREATE TABLE decisions (
    id VARCHAR NOT NULL,
    action VARCHAR NOT NULL,
    resource_id UBIGINT NOT NULL,
    severity VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    finding VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    caused_by VARCHAR[] NOT NULL,
    requires_approval BOOLEAN NOT NULL,
    not_before TIMESTAMPTZ,
    decided_at TIMESTAMPTZ NOT NULL,
    metadata JSON
);
COMMENT ON TABLE decisions IS 'Every decision about a finding';
COMMENT ON COLUMN decisions.id IS 'A hash of the finding, its transition and the cause';
COMMENT ON COLUMN decisions.action IS 'notify, alert, protect, enforce_policy, auto_tag or audit';
COMMENT ON COLUMN decisions.resource_id IS 'The resource, see keys';
COMMENT ON COLUMN decisions.severity IS 'critical, warning or info';
COMMENT ON COLUMN decisions.reason IS 'One readable line';
COMMENT ON COLUMN decisions.finding IS 'Fingerprint of resource and cause';
COMMENT ON COLUMN decisions.state IS 'new, changed, reminder or resolved';
COMMENT ON COLUMN decisions.caused_by IS 'Ids of the changes or policy results that led here';
COMMENT ON COLUMN decisions.requires_approval IS 'Whether a person must say yes first';
COMMENT ON COLUMN decisions.not_before IS 'Not to be told or acted on before';
COMMENT ON COLUMN decisions.decided_at IS 'When the input that led here was made';
COMMENT ON COLUMN decisions.metadata IS 'More about the cause';

CREATE TABLE approvals (
    id VARCHAR NOT NULL,
    decision_id VARCHAR NOT NULL,
    person VARCHAR NOT NULL,
    verdict VARCHAR NOT NULL,
    reason VARCHAR,
    given_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE approvals IS 'What people said to decisions';
COMMENT ON COLUMN approvals.id IS 'A hash of decision, person and verdict';
COMMENT ON COLUMN approvals.decision_id IS 'The decision';
COMMENT ON COLUMN approvals.person IS 'Who';
COMMENT ON COLUMN approvals.verdict IS 'approved or denied';
COMMENT ON COLUMN approvals.reason IS 'Why';
COMMENT ON COLUMN approvals.given_at IS 'When';

CREATE TABLE executions (
    id VARCHAR NOT NULL,
    decision_id VARCHAR NOT NULL,
    resource_id UBIGINT NOT NULL,
    outcome VARCHAR NOT NULL,
    before JSON,
    after JSON,
    error VARCHAR,
    executed_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE executions IS 'What was done to the cloud';
COMMENT ON COLUMN executions.id IS 'A hash of decision and outcome';
COMMENT ON COLUMN executions.decision_id IS 'The decision';
COMMENT ON COLUMN executions.resource_id IS 'The resource, see keys';
COMMENT ON COLUMN executions.outcome IS 'executing, executed, failed or skipped';
COMMENT ON COLUMN executions.before IS 'What was there before the write';
COMMENT ON COLUMN executions.after IS 'What was there after it';
COMMENT ON COLUMN executions.error IS 'Why it failed or was skipped';
COMMENT ON COLUMN executions.executed_at IS 'When';

CREATE TABLE deliveries (
    id VARCHAR NOT NULL,
    decision_id VARCHAR NOT NULL,
    channel VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    attempts UINTEGER NOT NULL,
    delivered_at TIMESTAMPTZ NOT NULL,
    error VARCHAR
);
COMMENT ON TABLE deliveries IS 'Who was told of decisions';
COMMENT ON COLUMN deliveries.id IS 'A hash of decision and channel';
COMMENT ON COLUMN deliveries.decision_id IS 'The decision';
COMMENT ON COLUMN deliveries.channel IS 'stdout, slack, webhook, with its route';
COMMENT ON COLUMN deliveries.outcome IS 'delivered or failed';
COMMENT ON COLUMN deliveries.attempts IS 'How many times it was tried';
COMMENT ON COLUMN deliveries.delivered_at IS 'When the channel took it, or was given up';
COMMENT ON COLUMN deliveries.error IS 'The last error';

CREATE TABLE positions (
    stream VARCHAR NOT NULL,
    partition USMALLINT NOT NULL,
    applied UBIGINT NOT NULL,
    resume UBIGINT NOT NULL,
    PRIMARY KEY (stream, partition)
);
COMMENT ON TABLE positions IS 'How far each partition of each input stream is in the history';
COMMENT ON COLUMN positions.stream IS 'The stream';
COMMENT ON COLUMN positions.partition IS 'Its partition';
COMMENT ON COLUMN positions.applied IS 'Everything up to here is in the history';
COMMENT ON COLUMN positions.resume IS 'Where to read from after a restart: the first page of the earliest open scan';

CREATE TABLE outbox (
    partition USMALLINT NOT NULL,
    sequence UBIGINT NOT NULL,
    ordinal UINTEGER NOT NULL,
    change_id VARCHAR NOT NULL
);
COMMENT ON TABLE outbox IS 'Changes that may not be stored downstream yet; the messages are made from the history';
COMMENT ON COLUMN outbox.partition IS 'Partition of the observation stream';
COMMENT ON COLUMN outbox.sequence IS 'Position of the page that caused it';
COMMENT ON COLUMN outbox.ordinal IS 'Its place among the changes of one batch';
COMMENT ON COLUMN outbox.change_id IS 'The change';

CREATE TABLE rejections (
    stream VARCHAR NOT NULL,
    partition USMALLINT NOT NULL,
    sequence UBIGINT NOT NULL,
    line UBIGINT NOT NULL,
    reason VARCHAR NOT NULL
);
COMMENT ON TABLE rejections IS 'Rows refused whose dead letters may not be stored yet';
COMMENT ON COLUMN rejections.stream IS 'The stream';
COMMENT ON COLUMN rejections.partition IS 'Its partition';
COMMENT ON COLUMN rejections.sequence IS 'Position of the page';
COMMENT ON COLUMN rejections.line IS 'Line of the page, from 1';
COMMENT ON COLUMN rejections.reason IS 'Why';

CREATE TABLE commits (number UBIGINT NOT NULL);
INSERT INTO commits VALUES (0);
COMMENT ON TABLE commits IS 'How many transactions have been committed: one row, which tells whether a commit that failed has happened';
COMMENT ON COLUMN commits.number IS 'So many';

CREATE TABLE thinned (
    rule VARCHAR NOT NULL,
    day DATE NOT NULL,
    thinned_at TIMESTAMPTZ NOT NULL,
    thinned_in UBIGINT NOT NULL,
    removed UBIGINT NOT NULL,
    extended UBIGINT NOT NULL,
    touched_closed_in UBIGINT
);
COMMENT ON TABLE thinned IS
'Which days retention has thinned, a row each time: what ended on that day, of the types of that rule, is one version a day since, findings apart';
COMMENT ON COLUMN thinned.rule IS 'The types of the rule, and those that an earlier rule took';
COMMENT ON COLUMN thinned.day IS 'The UTC day on which the versions ended, its last midnight included';
COMMENT ON COLUMN thinned.thinned_at IS 'When';
COMMENT ON COLUMN thinned.thinned_in IS
'Number of the transaction that did it, see commits: a version of that day that was closed in a later one makes it be looked at again';
COMMENT ON COLUMN thinned.removed IS 'How many versions went';
COMMENT ON COLUMN thinned.extended IS 'How many versions took over their time: valid_to became later';
COMMENT ON COLUMN thinned.touched_closed_in IS
'The greatest closed_in of a version that went or was extended; null where none was. An export that has read closed beyond it has rows that are no more so';

-- While ended versions are sorted as one, nothing is taken in: no number of a row is kept from one transaction to another,
-- for it may be another row's by then. Earlier builds did, and may have missed rows, so the tables are made anew of closed,
-- in the background.
DROP TABLE IF EXISTS lives.ended;
DROP TABLE IF EXISTS lives.next;
DROP TABLE lives.state;
CREATE TABLE lives.state (
    closed_in UBIGINT NOT NULL,
    until TIMESTAMPTZ NOT NULL,
    sorted UBIGINT NOT NULL,
    added UBIGINT NOT NULL,
    slices UINTEGER NOT NULL,
    slice UINTEGER NOT NULL
);
INSERT INTO lives.state VALUES (0, '-infinity', 0, 0, 0, 0);
COMMENT ON TABLE lives.state IS 'How much of closed is in lives.ended, and how that is sorted: one row';
COMMENT ON COLUMN lives.state.closed_in IS 'What was closed in an earlier transaction is there, see commits';
COMMENT ON COLUMN lives.state.until IS 'And what was closed in this one and had ended by this time';
COMMENT ON COLUMN lives.state.sorted IS 'How many rows were sorted as one when that was last done';
COMMENT ON COLUMN lives.state.added IS 'How many rows came after them, each part sorted by itself';
COMMENT ON COLUMN lives.state.slices IS 'In how many slices all rows are being sorted as one, into lives.next; 0 where they are not';
COMMENT ON COLUMN lives.state.slice IS 'How many of these are done';

-- Texts of ended versions by resource, tags among them, are compressed otherwise: src/store/lives/create.sql. The tables
-- are made anew of closed, in the background.
DROP TABLE IF EXISTS lives.ended;
DROP TABLE IF EXISTS lives.next;
UPDATE lives.state
SET closed_in = 0, until = '-infinity', sorted = 0, added = 0, slices = 0, slice = 0, rows_before = 0;

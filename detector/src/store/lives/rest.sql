-- Came while the others were being sorted.
INSERT INTO lives.next FROM lives.ended WHERE rowid >= $rows_before

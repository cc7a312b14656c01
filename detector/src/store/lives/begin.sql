UPDATE lives.state
SET slices = $1, slice = 0, rows_before = (SELECT coalesce(max(rowid) + 1, 0) FROM lives.ended)

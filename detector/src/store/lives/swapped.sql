UPDATE lives.state SET sorted = $1, added = $2, slices = 0, slice = 0, rows_before = 0

SELECT closed_in, until::VARCHAR, sorted, added, slices, slice, rows_before FROM lives.state

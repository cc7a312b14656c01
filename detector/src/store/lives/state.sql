SELECT closed_in, until::VARCHAR, sorted, added, slices, slice FROM lives.state

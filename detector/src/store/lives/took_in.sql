UPDATE lives.state SET closed_in = $1, until = $2::TIMESTAMPTZ, added = added + $3

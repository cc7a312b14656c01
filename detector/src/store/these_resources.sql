AND c.resource_id IN (SELECT unnest(string_split(?, ',')::UBIGINT[]))

SELECT
    c.resource_id, key_of(c.scope, c.local_id), c.version, c.name, c.arn, c.status, c.tags::JSON::VARCHAR, c.tags_carried,
    epoch_us(c.created_at), c.monthly_cost_usd, c.monthly_cost_source, c.attributes, c.relations,
    epoch_us(c.valid_from), epoch_us(c.first_seen), epoch_us(c.last_seen), c.scan_id
FROM current c
WHERE c.rowid BETWEEN $first AND $last

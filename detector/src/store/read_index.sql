SELECT
    k.resource_id, k.provider, k.account, k.region, k.type,
    c.version, epoch_us(c.valid_from), epoch_us(c.first_seen), epoch_us(c.last_seen)
FROM keys k
LEFT JOIN current c USING (resource_id)

UPDATE current SET last_seen = greatest(current.last_seen, utc(t.last_seen))
FROM staged_touched t
WHERE t.resource_id = current.resource_id AND current.last_seen < utc(t.last_seen);

INSERT INTO lives.next
FROM lives.ended
WHERE resource_id BETWEEN $first AND $last
ORDER BY resource_id, valid_from, valid_to

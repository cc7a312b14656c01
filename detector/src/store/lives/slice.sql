INSERT INTO lives.next
SELECT *
FROM lives.ended
WHERE resource_id BETWEEN $first AND $last AND rowid < $rows_before
ORDER BY resource_id, valid_from, valid_to

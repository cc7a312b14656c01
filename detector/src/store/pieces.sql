-- Of the table that is in most pieces: how many row groups more it has than its rows need.
SELECT coalesce(max(groups - (rows + $row_group - 1) // $row_group), 0)::UINTEGER
FROM (
    SELECT count(DISTINCT row_group_id) AS groups, sum(count)::BIGINT AS rows
    FROM (
        SELECT 'current' AS of, * FROM pragma_storage_info('current')
        UNION ALL
        SELECT 'closed' AS of, * FROM pragma_storage_info('closed')
        UNION ALL
        SELECT 'changes' AS of, * FROM pragma_storage_info('changes')
        UNION ALL
        SELECT 'ended' AS of, * FROM pragma_storage_info('lives.ended')
    )
    WHERE column_path = '[0]'
    GROUP BY of
)

-- Bytes are those of the blocks a table has; a block that several tables share counts in parts. What is only in the log
-- counts in rows and not yet in bytes.
CREATE OR REPLACE VIEW storage AS
WITH file AS (
    SELECT * FROM pragma_database_size() WHERE database_name = current_database()
), segments AS (
    SELECT 'versions' AS part, block_id, additional_block_ids FROM pragma_storage_info('current')
    UNION ALL SELECT 'versions', block_id, additional_block_ids FROM pragma_storage_info('closed')
    UNION ALL SELECT 'lives', block_id, additional_block_ids FROM pragma_storage_info('lives.ended')
    UNION ALL SELECT 'lives', block_id, additional_block_ids FROM pragma_storage_info('lives.next')
    UNION ALL SELECT 'keys', block_id, additional_block_ids FROM pragma_storage_info('keys')
    UNION ALL SELECT 'changes', block_id, additional_block_ids FROM pragma_storage_info('changes')
    UNION ALL SELECT 'scans', block_id, additional_block_ids FROM pragma_storage_info('scans')
    UNION ALL SELECT 'violations', block_id, additional_block_ids FROM pragma_storage_info('violations')
    UNION ALL SELECT 'policy_errors', block_id, additional_block_ids FROM pragma_storage_info('policy_errors')
    UNION ALL SELECT 'decisions', block_id, additional_block_ids FROM pragma_storage_info('decisions')
    UNION ALL SELECT 'approvals', block_id, additional_block_ids FROM pragma_storage_info('approvals')
    UNION ALL SELECT 'executions', block_id, additional_block_ids FROM pragma_storage_info('executions')
    UNION ALL SELECT 'deliveries', block_id, additional_block_ids FROM pragma_storage_info('deliveries')
), blocks AS (
    SELECT DISTINCT part, unnest(list_prepend(block_id, additional_block_ids)) AS block FROM segments
), shares AS (
    SELECT part, 1 / count(*) OVER (PARTITION BY block) AS share FROM blocks WHERE block >= 0
), used AS (
    SELECT part, (sum(share) * any_value(file.block_size))::BIGINT AS bytes FROM shares, file GROUP BY part
), counts(part, rows) AS (
    SELECT 'versions', (SELECT count(*) FROM current) + (SELECT count(*) FROM closed)
    UNION ALL SELECT 'lives', (SELECT count(*) FROM lives.ended) + (SELECT count(*) FROM lives.next)
    UNION ALL SELECT 'keys', count(*) FROM keys
    UNION ALL SELECT 'changes', count(*) FROM changes
    UNION ALL SELECT 'scans', count(*) FROM scans
    UNION ALL SELECT 'violations', count(*) FROM violations
    UNION ALL SELECT 'policy_errors', count(*) FROM policy_errors
    UNION ALL SELECT 'decisions', count(*) FROM decisions
    UNION ALL SELECT 'approvals', count(*) FROM approvals
    UNION ALL SELECT 'executions', count(*) FROM executions
    UNION ALL SELECT 'deliveries', count(*) FROM deliveries
), parts(place, part, rows, bytes) AS (
    SELECT 0, 'file', NULL, total_blocks * block_size FROM file
    UNION ALL
    SELECT 1, 'log', NULL, parse_formatted_bytes(wal_size) FROM file
    UNION ALL
    SELECT 2, 'free', NULL, free_blocks * block_size FROM file
    UNION ALL
    SELECT CASE part WHEN 'versions' THEN 3 ELSE 4 END, part, rows, coalesce(bytes, 0)
    FROM counts LEFT JOIN used USING (part)
    WHERE rows > 0
    UNION ALL
    SELECT 5, 'other', NULL, used_blocks * block_size - coalesce((SELECT sum(bytes) FROM used), 0) FROM file
)
SELECT place, part, rows::BIGINT AS rows, bytes::BIGINT AS bytes FROM parts;
COMMENT ON VIEW storage IS
'How much space this file takes: of the whole file, its log, what is free in it, each table, and the rest; place sorts them';

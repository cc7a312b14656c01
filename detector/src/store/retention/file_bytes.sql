SELECT (total_blocks * block_size)::UBIGINT, (free_blocks * block_size)::UBIGINT
FROM pragma_database_size()
WHERE database_name = current_database()

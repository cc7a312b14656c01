-- Every function that is not pure, and every table macro of the history.
SELECT DISTINCT lower(function_name), function_type = 'table_macro'
FROM duckdb_functions()
WHERE (function_type = 'table_macro' AND NOT internal AND database_name = current_database())
   OR (function_type <> 'table' AND (has_side_effects OR stability = 'VOLATILE'));

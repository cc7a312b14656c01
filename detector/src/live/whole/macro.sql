-- A table macro of the history, as a statement taken apart.
SELECT json_serialize_sql(macro_definition)
FROM duckdb_functions()
WHERE function_type = 'table_macro' AND NOT internal AND database_name = current_database() AND lower(function_name) = ?

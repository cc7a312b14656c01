SELECT '"' || replace(current_database(), '"', '""') || '"'

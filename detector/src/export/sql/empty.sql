SELECT $columns FROM $table WHERE false

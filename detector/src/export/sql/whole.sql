SELECT $columns FROM $table

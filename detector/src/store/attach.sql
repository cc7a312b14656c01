ATTACH '$file' AS history (READ_ONLY);
USE history;

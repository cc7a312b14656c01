ATTACH '$file' AS elava_export (STORAGE_VERSION '$storage')

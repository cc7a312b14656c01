-- Results of readers: in memory, in a database of their own, so that reading never writes the history.
ATTACH ':memory:' AS elava_results;
SET GLOBAL TimeZone = 'UTC';
-- What large sorts and joins, and results that are not fetched yet, may put on disk.
SET GLOBAL max_temp_directory_size = '4GB';
SET GLOBAL quack_authorization_function = 'elava_admit';
SET GLOBAL autoload_known_extensions = false;
SET GLOBAL autoinstall_known_extensions = false;
SET GLOBAL allow_community_extensions = false;
-- Secrets that were kept lie in a folder that cannot be reached from here on: DuckDB finds that out whenever another
-- shard is asked, and asks nobody.
SET GLOBAL allow_persistent_secrets = false;
-- No file but the history's own and the exports (set before), no network, and nobody changes that any more.
SET GLOBAL enable_external_access = false;
SET GLOBAL lock_configuration = true;

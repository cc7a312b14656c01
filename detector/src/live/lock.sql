-- Results of readers: in memory, in a database of their own, so that reading never writes the history.
ATTACH ':memory:' AS elava_results;
SET GLOBAL TimeZone = 'UTC';
-- What large sorts and joins, and results that are not fetched yet, may put on disk.
SET GLOBAL max_temp_directory_size = '4GB';
SET GLOBAL quack_authorization_function = 'elava_admit';
-- a detector that asks other shards looks for secrets, and is not to look on disk
SET GLOBAL allow_persistent_secrets = false;
SET GLOBAL autoload_known_extensions = false;
SET GLOBAL autoinstall_known_extensions = false;
SET GLOBAL allow_community_extensions = false;
-- No file but the history's own and the exports (set before), no network, and nobody changes that any more.
SET GLOBAL enable_external_access = false;
SET GLOBAL lock_configuration = true;

SET GLOBAL TimeZone = 'UTC';
SET autoinstall_known_extensions = false;
-- checkpoints of ours come long before (log.rs)
SET checkpoint_threshold = '1GB';

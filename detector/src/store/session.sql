SET GLOBAL TimeZone = 'UTC';
SET autoinstall_known_extensions = false;
-- written by checkpoints of ours (log.rs), unless these are refused for long
SET checkpoint_threshold = '1GB';

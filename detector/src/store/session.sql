SET GLOBAL TimeZone = 'UTC';
SET autoinstall_known_extensions = false;
-- fewer, larger checkpoints: each rewrites the row groups that were begun
SET checkpoint_threshold = '64MB';

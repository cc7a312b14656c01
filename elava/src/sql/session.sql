SET TimeZone = 'UTC';
-- A second thread would fetch the rows while the first one waits for it without a pause, and takes a core from whoever else
-- wants one.
SET threads = 1;

-- Hashes of versions are texts, as messages write them: of numbers, these texts were made anew for each answer, which took
-- half of what all keys and hashes as of a time did. A text takes two bytes more.
ALTER TABLE current ALTER version TYPE VARCHAR USING lower(lpad(hex(version), 32, '0'));
ALTER TABLE closed ALTER version TYPE VARCHAR USING lower(lpad(hex(version), 32, '0'));
ALTER TABLE changes ALTER previous_version TYPE VARCHAR USING lower(lpad(hex(previous_version), 32, '0'));
ALTER TABLE changes ALTER current_version TYPE VARCHAR USING lower(lpad(hex(current_version), 32, '0'));
DROP MACRO IF EXISTS version_text;
-- Made anew of closed, in the background.
DROP TABLE IF EXISTS lives.ended;
DROP TABLE IF EXISTS lives.next;
UPDATE lives.state SET closed_in = 0, until = '-infinity', sorted = 0, added = 0, slices = 0, slice = 0;

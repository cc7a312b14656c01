ALTER TABLE lives.ended RENAME TO last;
ALTER TABLE lives.next RENAME TO ended;
DROP TABLE lives.last;

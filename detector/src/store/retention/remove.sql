-- valid_to alone: the other columns, attributes among them, are not rewritten.
UPDATE closed SET valid_to = t.extended_to
FROM thinning t
WHERE closed.rowid = t.place AND NOT t.goes AND t.extended_to > t.valid_to
    AND closed.valid_to > utc($begins) AND closed.valid_to <= utc($ends);

DELETE FROM closed
WHERE rowid IN (SELECT place FROM thinning WHERE goes) AND valid_to > utc($begins) AND valid_to <= utc($ends);

CREATE OR REPLACE MACRO changes_since(t) AS TABLE
SELECT * FROM change_log WHERE detected_at >= t::TIMESTAMPTZ ORDER BY detected_at, key, change;
COMMENT ON MACRO TABLE changes_since IS 'Every change since that time, baseline included';

CREATE OR REPLACE MACRO new_since(t) AS TABLE
SELECT * FROM changes_since(t) WHERE change = 'appeared' AND NOT baseline;
COMMENT ON MACRO TABLE new_since IS 'What appeared since that time';

CREATE OR REPLACE MACRO disappeared_since(t) AS TABLE
SELECT * FROM changes_since(t) WHERE change = 'disappeared';
COMMENT ON MACRO TABLE disappeared_since IS 'What disappeared since that time';

CREATE OR REPLACE MACRO modified_since(t) AS TABLE
SELECT * FROM changes_since(t) WHERE change = 'modified';
COMMENT ON MACRO TABLE modified_since IS 'What was modified since that time';

CREATE OR REPLACE MACRO changed_tags(diff) AS
list_transform(
    diff ->> '$[*].path',
    lambda path: replace(replace(substr(path, 7), '~1', '/'), '~0', '~')
);
COMMENT ON MACRO changed_tags IS 'The tag keys that a diff names';

CREATE OR REPLACE MACRO tag_changes_since(t, tag_keys := NULL) AS TABLE
SELECT *, changed_tags(diff) AS tag_keys
FROM changes_since(t)
WHERE change = 'tag_drift'
    AND (tag_keys IS NULL OR len(tag_keys) = 0 OR list_has_any(changed_tags(diff), tag_keys::VARCHAR[]));
COMMENT ON MACRO TABLE tag_changes_since IS 'Tag drift since that time, of these tag keys, or of all where none are given';

CREATE OR REPLACE VIEW all_versions AS
-- texts, as ended ones are: what a union makes JSON is looked through where only hashes are read, too
SELECT * EXCLUDE (tags_text) REPLACE (attributes::VARCHAR AS attributes, relations::VARCHAR AS relations) FROM current
UNION ALL
SELECT * EXCLUDE (closed_in) FROM closed;
COMMENT ON VIEW all_versions IS 'Current and ended versions by the number of their resource; read versions';

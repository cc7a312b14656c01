CREATE OR REPLACE VIEW blessed AS
SELECT *
FROM resources
WHERE lower(coalesce(tags['elava:blessed'], tags['elava_blessed'], tags['blessed'])) NOT IN ('false', 'no', '0');
COMMENT ON VIEW blessed IS 'Existing resources with a blessed tag';

CREATE OR REPLACE MACRO in_scope(account, region, type, account_like, region_like, type_like) AS (
    (account_like IS NULL OR account GLOB account_like)
    AND (region_like IS NULL OR region GLOB region_like)
    AND (type_like IS NULL OR type GLOB type_like)
);
COMMENT ON MACRO in_scope IS
'Whether account, region and type are like these patterns (* is any text, ? any character); null is like everything';

CREATE OR REPLACE MACRO has_tags(tags, wanted) AS (
    wanted IS NULL OR len(list_filter(
        map_entries(wanted::JSON::MAP(VARCHAR, VARCHAR)),
        lambda tag: (tags[tag.key] IS NOT NULL AND tags[tag.key] = coalesce(tag.value, tags[tag.key])) IS NOT TRUE
    )) = 0
);
COMMENT ON MACRO has_tags IS
'Whether tags have all of the wanted ones, given as a JSON object: {"Owner": "ada", "Team": null}; null means any value';

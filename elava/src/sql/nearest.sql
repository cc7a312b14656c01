-- The name that somebody meant who wrote $1: of words.sql, whose rows take the place of the table.
SELECT word FROM (SELECT rtrim(word, '(') AS word FROM WORDS)
WHERE levenshtein(word, lower($1)) <= length($1) // 3
ORDER BY levenshtein(word, lower($1)), word LIMIT 1

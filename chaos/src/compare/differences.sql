(SELECT 'lost: ' || shown FROM (FROM expected EXCEPT ALL FROM found) LIMIT 5)
UNION ALL
(SELECT 'too much: ' || shown FROM (FROM found EXCEPT ALL FROM expected) LIMIT 5)

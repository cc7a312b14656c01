SELECT (SELECT count(*) FROM lives.next), (SELECT count(*) FROM lives.ended)

SELECT count(*) FROM quack_serve(?, token = ?)

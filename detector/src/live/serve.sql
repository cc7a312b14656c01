SELECT count(*) FROM quack_serve(?, token = ?, allow_other_hostname = ?)

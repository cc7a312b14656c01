"""A DuckDB client in a process of its own: one JSON request a line in, one JSON answer a line out.

{"attach": uri, "token": token}   attaches as `elava`
{"sql": statement}                runs it here, where `elava` is attached
{"remote": statement}             runs it on the server as it is
"""

import json
import sys

import duckdb

extensions = sys.argv[1]
connection = duckdb.connect()
connection.execute("SET TimeZone = 'UTC'")
for name in ("httpfs", "quack"):
    connection.execute(f"LOAD '{extensions}/{name}.duckdb_extension'")

uri = token = ""
for line in sys.stdin:
    request = json.loads(line)
    try:
        if "attach" in request:
            uri, token = request["attach"], request["token"]
            connection.execute(f"ATTACH '{uri}' AS elava (TOKEN '{token}')")
            rows = []
        elif "remote" in request:
            rows = connection.execute("FROM quack_query(?, ?, token = ?)", [uri, request["remote"], token]).fetchall()
        else:
            rows = connection.execute(request["sql"]).fetchall()
        answer = {"rows": rows}
    except duckdb.Error as error:
        answer = {"error": str(error)}
    print(json.dumps(answer, default=str), flush=True)

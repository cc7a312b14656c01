"""Types at `elava sql` in a terminal of its own: argv is the command; shows what the terminal showed.

Each line of standard input is what the screen must show, a tab, and what is typed then.
"""

import os
import pty
import sys

keys = [[text.encode().decode("unicode_escape") for text in line.rstrip("\n").split("\t")] for line in sys.stdin]
process, terminal = pty.fork()
if process == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
shown = ""
seen = 0


def read() -> bool:
    global shown
    try:
        data = os.read(terminal, 65536)
    except OSError:  # the other end is closed
        data = b""
    shown += data.decode(errors="replace")
    return bool(data)


for expected, typed in keys:
    while expected not in shown[seen:]:
        if not read():
            sys.exit(f"ended without {expected!r}: {shown}")
    seen = len(shown)
    os.write(terminal, typed.encode())
while read():
    pass
_, status = os.waitpid(process, 0)
print(shown)
sys.exit(os.waitstatus_to_exitcode(status))

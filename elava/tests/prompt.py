"""Types at `elava sql` in a terminal of its own: argv is the command; shows what the terminal showed.

Each line of standard input is what the screen must show, a tab, and what is typed then. Ctrl-C is typed once nothing more
is shown for a while, when what was typed before runs: until then it is a key that discards it.
"""

import os
import pty
import select
import sys

keys = [[text.encode().decode("unicode_escape") for text in line.rstrip("\n").split("\t")] for line in sys.stdin]
process, terminal = pty.fork()
if process == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
shown = ""
seen = 0
typed = ""


def read() -> bool:
    global shown
    try:
        data = os.read(terminal, 65536)
    except OSError:  # the other end is closed
        data = b""
    shown += data.decode(errors="replace")
    return bool(data)


for expected, keys_then in keys:
    while expected not in shown[seen:]:
        if typed == "\x03" and not select.select([terminal], [], [], 0.5)[0]:
            os.write(terminal, typed.encode())
        elif not read():
            sys.exit(f"ended without {expected!r}: {shown}")
    seen = len(shown)
    typed = keys_then
    if typed != "\x03":
        os.write(terminal, typed.encode())
while read():
    pass
_, status = os.waitpid(process, 0)
print(shown)
sys.exit(os.waitstatus_to_exitcode(status))

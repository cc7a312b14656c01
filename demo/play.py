#!/usr/bin/env python3
"""Plays a day of operations: NATS, an AWS emulator, the five stages, and events as they happen.

Run by scripts/demo, which sets up and builds first. Ends by itself with a summary; with KEEP=1 it
goes on watching. Everything it starts it stops again, however it ends. What it leaves is in
.local/demo: the history, and one log for each process.

Exit codes: 0 the day was played, 1 something died or was not seen in time, 130 or 143 interrupted.
"""

import contextlib
import fcntl
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import day
from day import TERMINAL, Failed, headline, say

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / ".local" / "demo"
LOGS = DATA / "logs"
HISTORY = DATA / "history.duckdb"
BINARIES = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "debug"
VENV = ROOT / ".local" / "venv" / "bin"

REGIONS = ("us-east-1", "eu-west-1")
INTERVAL = 2.0  # seconds between scans
DRAIN = 10.0  # seconds that a process gets to finish what it has begun

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


class Interrupted(BaseException):
    """Somebody asked us to stop."""

    def __init__(self, signum):
        super().__init__(signum)
        self.signum = signum


def tool(name):
    """What `make setup` put into the checkout, else what is on the PATH."""
    local = VENV / name
    found = str(local) if local.exists() else shutil.which(name)
    if not found:
        raise Failed(f"{name} is missing: run `make setup`")
    return found


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Processes:
    """What was started, each in a process group of its own, in order."""

    def __init__(self):
        self.running = []

    def start(self, name, command, env=None, stdout=None):
        log = open(LOGS / f"{name}.log", "wb")
        with log:
            child = subprocess.Popen(
                [str(part) for part in command],
                cwd=ROOT,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log if stdout is None else stdout,
                stderr=log,
                start_new_session=True,
            )
        self.running.append((name, child))
        return child

    def check(self):
        for name, child in self.running:
            if child.poll() is not None:
                how = f"exit status {child.returncode}" if child.returncode >= 0 else f"signal {-child.returncode}"
                log = LOGS / f"{name}.log"
                last = "".join(f"  {line}\n" for line in log.read_text(errors="replace").splitlines()[-15:])
                raise Failed(f"{name} ended unexpectedly ({how}). The end of {log}:\n{last}")

    def stop(self, patience=DRAIN):
        """First started, last stopped: what reads outlives what writes to it, and NATS all of them."""
        while self.running:
            name, child = self.running[-1]
            send(child, signal.SIGTERM)
            try:
                child.wait(patience)
            except subprocess.TimeoutExpired:
                print(f"demo: {name} does not stop; killed", file=sys.stderr)
            # whatever it started itself and left behind
            send(child, signal.SIGKILL)
            child.wait()
            self.running.pop()


def send(child, signum):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signum)


class Notifications:
    """Passes on what the notifier prints, and remembers it without colour."""

    def __init__(self):
        # the notifier writes in colour where it sees a terminal
        self.reader, self.writer = pty.openpty() if TERMINAL else os.pipe()
        self.seen = ""
        self.thread = threading.Thread(target=self.pass_on, daemon=True)

    def started(self):
        """The notifier has our end; when it ends, so does the reading."""
        os.close(self.writer)
        self.thread.start()

    def pass_on(self):
        # Linux tells of the end of a terminal by an error
        with contextlib.suppress(OSError):
            while chunk := os.read(self.reader, 65536):
                text = chunk.decode(errors="replace").replace("\r\n", "\n")
                sys.stdout.write(text)
                sys.stdout.flush()
                self.seen += ESCAPES.sub("", text)

    def mentions(self, words, begin):
        """Whether a message since `begin` is about one of them: `… <name or id> (<type>, <region>)`."""
        return any(f" {word} (" in self.seen[begin:] for word in words)


class Demo(day.Day):
    """A day beside stages that are processes of ours, with the notifications as they happen."""

    def __init__(self, processes):
        self.processes = processes
        self.notifications = Notifications()
        self.emulator_port, self.proxy_port = free_port(), free_port()
        python = VENV / "python"
        super().__init__(
            nats=f"nats://127.0.0.1:{free_port()}",
            emulator=f"http://127.0.0.1:{self.emulator_port}",
            proxy=f"http://127.0.0.1:{self.proxy_port}",
            regions=REGIONS,
            elava=BINARIES / "elava",
            python=python if python.exists() else sys.executable,
        )
        self.aws = {**day.CREDENTIALS, "AWS_REGION": REGIONS[0], "AWS_EC2_METADATA_DISABLED": "true"}

    # --- starting -----------------------------------------------------------------------------

    def start_surroundings(self):
        port = self.nats.rpartition(":")[2]
        config = DATA / "nats.conf"
        config.write_text(
            f'listen: "127.0.0.1:{port}"\njetstream {{\n  store_dir: "{DATA / "jetstream"}"\n  sync_interval: always\n}}\n'
        )
        self.processes.start("nats-server", [tool("nats-server"), "--config", config])
        emulator = [tool("moto_server"), "-H", "127.0.0.1", "-p", self.emulator_port]
        self.processes.start("moto", emulator, env={"MOTO_EC2_LOAD_DEFAULT_AMIS": "false"})
        self.processes.start(
            "proxy",
            [sys.executable, ROOT / "demo/faulty_proxy.py", "--port", self.proxy_port]
            + ["--upstream", f"127.0.0.1:{self.emulator_port}"],
        )
        for port in (port, self.proxy_port, self.emulator_port):
            self.wait(f"port {port}", lambda: listens(port))

    def start_stages(self):
        def start(stage, *flags, **how):
            common = ["--config", ROOT / "elava.yaml", "--nats", self.nats, "--log-format", "text", "--health-addr", "off"]
            self.processes.start(stage, [BINARIES / f"elava-{stage}", *common, *flags], **how)

        start("notifier", "--format", "text", stdout=self.notifications.writer)
        self.notifications.started()
        start("decider")
        start("enforcer", "--policies", ROOT / "policies")
        start("detector", "--db", HISTORY)
        watch = ["--interval", f"{INTERVAL:.0f}s", "--regions", ",".join(REGIONS), "--endpoint-url", self.proxy]
        start("observer", *watch, env=self.aws)

    # --- how it is seen -----------------------------------------------------------------------

    def check(self):
        self.processes.check()

    def mark(self):
        return len(self.notifications.seen)

    def told(self, done, mark):
        words = [one[key] for one in done for key in ("id", "name") if key in one]
        return self.notifications.mentions(words, mark)

    def look(self):
        """The observer looks by itself, again and again."""

    def keep_watching(self):
        headline("KEEP=1: still watching; Ctrl-C stops")
        say(f"   AWS emulator: http://127.0.0.1:{self.emulator_port}   NATS: {self.nats}")
        say(f"   elava status --nats {self.nats}")
        while True:
            self.processes.check()
            time.sleep(0.5)

    def summary(self):
        headline("The day in numbers, from the history")
        elava = BINARIES / "elava"
        done = subprocess.run([elava, "summary", "--table", "--db", HISTORY], cwd=ROOT)
        if done.returncode != 0:
            raise Failed("the history could not be read")
        binary, history = relative(elava), relative(HISTORY)
        headline("Worth trying next, on the history that this leaves")
        print(f"  {binary} changes --since 24h --db {history}")
        print(f"  {binary} history orders-db --db {history}")
        print(f"  {binary} violations --db {history}", flush=True)


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port)), timeout=1):
        return True
    return False


def relative(path):
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def run(processes):
    lock = open(ROOT / ".local" / "demo.lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise Failed("another demo is running in this checkout") from error
    shutil.rmtree(DATA, ignore_errors=True)
    LOGS.mkdir(parents=True)
    demo = Demo(processes)
    headline("A small estate in an AWS emulator: two regions")
    demo.start_surroundings()
    say(f"   {len(demo.estate('seed'))} resources made through the AWS API")
    demo.start_stages()
    demo.play()
    if os.environ.get("KEEP") == "1":
        demo.keep_watching()
    processes.stop()
    demo.notifications.thread.join(DRAIN)
    demo.summary()


def main():
    def interrupt(signum, _frame):
        raise Interrupted(signum)

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, interrupt)
    processes = Processes()
    try:
        run(processes)
        return 0
    except Failed as error:
        print(f"\ndemo: {error}\nLogs are in {LOGS}", file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        print("\ndemo: stopping", file=sys.stderr)
        return 128 + interrupted.signum
    finally:
        # asked again to stop: at once
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, lambda *_: [send(child, signal.SIGKILL) for _, child in processes.running])
        processes.stop()


if __name__ == "__main__":
    sys.exit(main())

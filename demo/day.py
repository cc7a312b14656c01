#!/usr/bin/env python3
"""A day of operations, played against stages that run already, and seen through `elava`.

demo/play.py runs it on this machine, beside what it starts; compose.yaml runs it as a container:

    day.py --emulator http://aws:5000 --proxy http://aws:5001     with ELAVA_NATS_URL, ELAVA_REGIONS

Exit codes: 0 the day was played, 1 something was not seen in time.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime, timezone
from pathlib import Path

PATIENCE = 30.0  # seconds in which an event must be seen
MORE_SCANS = 4.0  # seconds in which a failing region is looked at again

# headline, step of estate.py
STEPS = (
    ("Somebody launches an instance and tags nothing", "launch"),
    ("The owner tag of worker-1 drifts", "drift"),
    ("shop-admin is opened to the world, ssh included", "open-ssh"),
    ("The blessed database orders-db is deleted", "delete-blessed"),
    ("The volume search-index is left without an instance", "orphan"),
    ("worker-2 becomes eight times as large", "resize"),
)

TERMINAL = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
# nobody needs credentials for an emulator, but the AWS SDKs want some
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": ""}


class Failed(Exception):
    """The demo cannot go on."""


def headline(text):
    line = f"\n── {text} "
    line += "─" * max(0, 78 - len(line))
    print(f"\x1b[1;36m{line}\x1b[0m" if TERMINAL else line, flush=True)


def say(text):
    print(f"\x1b[2m{text}\x1b[0m" if TERMINAL else text, flush=True)


class Day:
    """What happens in the estate, and whether it is seen. Whoever starts the stages says how they do."""

    def __init__(self, nats, emulator, proxy, regions, elava="elava", python=sys.executable, patience=PATIENCE):
        self.nats, self.emulator, self.proxy, self.regions = nats, emulator, proxy, regions
        self.elava, self.python, self.patience = elava, python, patience

    # --- what differs between a day here and one in containers --------------------------------

    def check(self):
        """Raises `Failed` if something ended that must not."""

    def mark(self):
        """A moment, for `told`."""
        return datetime.now(timezone.utc)

    def told(self, done, mark):
        """Whether people were told since `mark` of anything that was done."""
        rows = [row for one in done for row in self.ask("audit", one["id"])]
        return any(row["step"] == "delivery" and moment(row["happened_at"]) >= mark for row in rows)

    def look(self):
        """Sees to it that the estate is looked at soon."""
        self.scan()

    # --- asking -------------------------------------------------------------------------------

    def estate(self, step):
        """Does a step through the AWS API; returns what was done."""
        command = [self.python, Path(__file__).with_name("estate.py"), step, "--endpoint-url", self.emulator]
        done = subprocess.run(command, env={**os.environ, **CREDENTIALS}, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"{step} in the emulator failed:\n{done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def run(self, *question):
        command = [self.elava, *question, "--nats", self.nats]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def ask(self, *question):
        """Rows of an answer of `elava`; none while the detector cannot answer yet."""
        done = self.run(*question, "--json")
        return [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else []

    def scan(self):
        """Asks for a scan of everything; how many scopes that is, 0 when nobody answers."""
        done = self.run("scan")
        return sum(json.loads(line)["scopes"] for line in done.stdout.splitlines()) if done.returncode == 0 else 0

    def wait(self, what, condition):
        begun = time.monotonic()
        while not condition():
            self.check()
            if time.monotonic() - begun > self.patience:
                raise Failed(f"{what}: not seen within {self.patience:.0f} s")
            time.sleep(0.1)

    def wait_looking(self, what, condition):
        """As `wait`, and what is waited for needs a scan that begins from now on."""
        looked = 0.0

        def seen():
            nonlocal looked
            if time.monotonic() - looked > 2.0:
                self.look()
                looked = time.monotonic()
            return condition()

        self.wait(what, seen)

    def scopes(self, *regions):
        rows = self.ask("status")
        return [row for row in rows if row.get("region") in regions]

    def outcomes(self, region):
        return {row["last_outcome"] for row in self.scopes(region)}

    def resources(self, region):
        return sum(row["region"] == region for row in self.ask("resources"))

    def idle(self):
        """Whether everything observed so far went through every stage."""
        stages = [row for row in self.ask("status") if "pending" in row]
        return bool(stages) and all(row["pending"] + row["in_progress"] == 0 for row in stages)

    def tell_proxy(self, region, mode):
        body = json.dumps({"region": region, "mode": mode}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.proxy}/__fail", data=body, method="POST")).close()

    # --- the day ------------------------------------------------------------------------------

    def play(self):
        self.first_look()
        if not any(row["id"] == "orders-db" for row in self.ask("resources")):
            say("   This day was played already; an emulator that is started anew has a new one")
            return
        for text, step in STEPS:
            self.step(text, step)
        self.fail_region()
        self.wait("the end of the day's work", self.idle)

    def first_look(self):
        headline("The first look at the estate: its violations are told once, nothing is a change")
        wanted = 0

        def observed():
            nonlocal wanted
            wanted = self.scan()
            return wanted > 0

        def all_seen():
            rows = self.scopes(*self.regions)
            return len(rows) >= wanted and all(row["last_outcome"] == "complete" for row in rows)

        self.wait("an observer", observed)
        self.wait("a complete first scan", all_seen)
        self.wait("the end of the first scan's work", self.idle)

    def step(self, text, step):
        headline(text)
        mark, at = self.mark(), time.monotonic()
        done = self.estate(step)
        self.wait_looking(f"a notification of `{step}`", lambda: self.told(done, mark))
        say(f"   seen {time.monotonic() - at:.1f} s after it was done")

    def fail_region(self):
        broken = self.regions[-1]
        headline(f"Every call to {broken} fails: what is there is unknown now, not gone")
        known = self.resources(broken)
        before = self.changes()
        self.tell_proxy(broken, "error")
        self.wait_looking(f"failed scans of {broken}", lambda: bool(self.outcomes(broken) & {"failed", "partial"}))
        enough = time.monotonic() + MORE_SCANS
        self.wait_looking("more scans", lambda: time.monotonic() > enough)
        gone = [row for row in self.changes() - before if row[0] == "disappeared"]
        if gone:
            raise Failed(f"resources of a failing region were said to have disappeared: {gone}")
        say(f"   {known} resources known in {broken} before, {self.resources(broken)} after; none disappeared")
        self.tell_proxy(broken, "off")
        self.wait_looking(f"complete scans of {broken} again", lambda: self.outcomes(broken) == {"complete"})
        say(f"   {broken} answers again")

    def changes(self):
        return {(row["type"], row["key"], row["detected_at"]) for row in self.ask("changes", "--since", "1d")}


def moment(text):
    """A time of `elava --json`."""
    return datetime.fromisoformat(re.sub(r"\.(\d{1,6})\d*", lambda found: f".{found[1]:0<6}", text.replace("Z", "+00:00")))


def main():
    parser = argparse.ArgumentParser(description="Plays a day of operations in the emulator, and waits until it was told.")
    parser.add_argument("--emulator", required=True, metavar="URL")
    parser.add_argument("--proxy", required=True, metavar="URL", help="the emulator behind faulty_proxy.py")
    parser.add_argument("--patience", type=float, default=180.0, metavar="SECONDS", help="in which an event must be seen")
    args = parser.parse_args()
    regions = (os.environ.get("ELAVA_REGIONS") or "us-east-1").split(",")
    nats = os.environ.get("ELAVA_NATS_URL", "nats://127.0.0.1:4222")
    day = Day(nats, args.emulator, args.proxy, regions, patience=args.patience)
    try:
        day.play()
    except Failed as error:
        print(f"\nday: {error}", file=sys.stderr)
        return 1
    headline("The day in numbers, from the history")
    print(day.run("summary", "--table").stdout, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

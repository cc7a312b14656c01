#!/usr/bin/env python3
"""Asks a Prometheus every query of the dashboard and of the alerts: observed.py URL

What is asked of NATS itself needs the exporter's image: without it, only that the query is one.

Exit codes: 0 every stage is found and every query is answered, 1 not (yet).
"""

import json
import re
import sys
import urllib.parse
import urllib.request
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "docker" / "observability"
STAGES = {"observer", "detector", "enforcer", "decider", "notifier"}


def ask(url, query):
    with urllib.request.urlopen(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}", timeout=10) as answer:
        return json.load(answer)["data"]["result"]


def get(url, path):
    with urllib.request.urlopen(f"{url}{path}", timeout=10) as answer:
        return json.load(answer)["data"]


def main(url):
    wrong = []
    ready = {row["metric"]["stage"] for row in ask(url, "elava_ready == 1")}
    if ready != STAGES:
        wrong.append(f"ready are only {sorted(ready)}")
    has_nats = bool(ask(url, 'up{job="nats"} == 1'))
    dashboard = json.loads((FOLDER / "grafana" / "elava.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            # what Grafana puts in by itself
            answer = ask(url, target["expr"].replace("$__rate_interval", "1m"))
            if not answer and (has_nats or "elava_" in target["expr"]):
                wrong.append(f"{panel['title']}: no answer to {target['expr']}")
    rules = [rule for group in get(url, "/api/v1/rules")["groups"] for rule in group["rules"]]
    expected = re.findall(r"alert: (\w+)", (FOLDER / "alerts.yml").read_text())
    if [rule["name"] for rule in rules] != expected:
        wrong.append(f"alerts are {[rule['name'] for rule in rules]}, not {expected}")
    wrong += [f"{rule['name']}: {rule['lastError']}" for rule in rules if rule["health"] != "ok"]
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

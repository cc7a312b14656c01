#!/usr/bin/env python3
"""What NATS denies to somebody without a key, and to the observer: denied.py HOST:PORT FILE

FILE holds the observer's seed. Exit codes: 0 it denies all that it must, and nothing else; 1 it does not.
"""

import base64
import binascii
import json
import socket
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

USER = 20 << 3  # the first byte of a user's public key

ALLOWED = ("PUB $JS.API.STREAM.INFO.OBSERVATION _INBOX.observer.x 0\r\n", "SUB elava.observer.status 1")
DENIED = (
    "PUB elava.decision.notify.info.aws.1 0\r\n",
    "PUB elava.change.aws.1.us-east-1.ec2:vpc 0\r\n",
    "PUB $JS.API.DIRECT.GET.DECISION _INBOX.observer.x 0\r\n",
    "PUB $JS.API.STREAM.MSG.GET.DECISION _INBOX.observer.x 0\r\n",
    "PUB $JS.API.CONSUMER.CREATE.DECISION.x _INBOX.observer.x 0\r\n",
    "PUB $JS.API.STREAM.DELETE.DECISION _INBOX.observer.x 0\r\n",
    "SUB elava.decision.> 2",
    "SUB _INBOX.notifier.> 3",
)


class Connection:
    def __init__(self, address, seed=None):
        host, port = address.rsplit(":", 1)
        self.lines = socket.create_connection((host, int(port)), timeout=10).makefile("rw", newline="")
        info = json.loads(self.lines.readline().removeprefix("INFO "))
        proof = {} if seed is None else prove(seed, info["nonce"])
        self.first = self.said("CONNECT " + json.dumps({"verbose": False, "pedantic": False, **proof}))

    def said(self, line):
        """What the server answers to a line: its error, if there is one."""
        self.lines.write(f"{line}\r\nPING\r\n")
        self.lines.flush()
        errors = []
        for answer in self.lines:
            if answer.startswith("PONG"):
                break
            if answer.startswith("-ERR"):
                errors.append(answer.strip())
        return " ".join(errors)


def prove(seed, nonce):
    # two bytes of prefix, the key, two of a checksum
    key = Ed25519PrivateKey.from_private_bytes(base64.b32decode(seed + "=" * (-len(seed) % 8))[2:34])
    public = bytes([USER]) + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    public += binascii.crc_hqx(public, 0).to_bytes(2, "little")
    signature = base64.urlsafe_b64encode(key.sign(nonce.encode())).decode().rstrip("=")
    return {"nkey": base64.b32encode(public).decode(), "sig": signature}


def main(address, file):
    wrong = []
    nobody = Connection(address).first
    if "Authorization Violation" not in nobody:
        wrong.append(f"without a key: {nobody or 'let in'}")
    observer = Connection(address, Path(file).read_text().strip())
    said = {line: observer.said(line) for line in ALLOWED + DENIED}
    if observer.first:
        wrong.append(f"the observer's key: {observer.first}")
    wrong += [f"{line.strip()}: {said[line]}" for line in ALLOWED if said[line]]
    wrong += [f"{line.strip()}: {said[line] or 'allowed'}" for line in DENIED if "Permissions Violation" not in said[line]]
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

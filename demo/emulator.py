#!/usr/bin/env python3
"""The AWS emulator of compose.yaml, in one process: moto on port 5000, with the estate in it, and the
proxy that lets a region fail before it on port 5001.

It keeps nothing: started anew, it has a new estate. Says how it is reached the way the AWS SDKs are
told, in the files `config` and `credentials` of --aws-dir.
"""

import argparse
import asyncio
import logging
import os
import sys
import urllib.request
from pathlib import Path

# before moto reads it: without the images and snapshots of Amazon's
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

EMULATOR, PROXY = 5000, 5001
CONFIG = "[default]\nregion = {region}\nendpoint_url = http://{host}:{port}\n"
CREDENTIALS = "[default]\naws_access_key_id = test\naws_secret_access_key = test\n"


async def serve(folder, host):
    # here, so that the health check does without
    from estate import HOME, Estate
    from faulty_proxy import Proxy
    from moto.server import ThreadedMotoServer

    class Quiet(Estate):
        def did(self, *_, **__):
            """Nobody reads it here."""

    # one line a request otherwise
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    ThreadedMotoServer(ip_address="0.0.0.0", port=EMULATOR, verbose=False).start()
    estate = Quiet(f"http://127.0.0.1:{EMULATOR}")
    await asyncio.to_thread(estate.seed)
    print(f"the estate is made; AWS is http://{host}:{PROXY} for Elava, and http://{host}:{EMULATOR} without its faults", flush=True)
    (folder / "config").write_text(CONFIG.format(region=HOME, host=host, port=PROXY))
    (folder / "credentials").write_text(CREDENTIALS)
    # last: who is answered here finds everything
    proxy = Proxy(("127.0.0.1", EMULATOR))
    server = await asyncio.start_server(proxy.serve, "0.0.0.0", PROXY, limit=1024 * 1024)
    async with server:
        await server.serve_forever()


def healthy():
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{PROXY}/moto-api/", timeout=2).close()
    except OSError:
        return False
    return True


def main():
    parser = argparse.ArgumentParser(description="An AWS emulator with a small estate in it.")
    parser.add_argument("--aws-dir", type=Path, metavar="DIR", help="where the files of the AWS SDKs are written")
    parser.add_argument("--host", default="aws", help="the name by which the others reach this [default: aws]")
    parser.add_argument("--healthcheck", action="store_true", help="only say, by exit code, whether it answers")
    args = parser.parse_args()
    if args.healthcheck:
        sys.exit(not healthy())
    asyncio.run(serve(args.aws_dir, args.host))


if __name__ == "__main__":
    main()

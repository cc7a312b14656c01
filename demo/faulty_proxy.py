#!/usr/bin/env python3
"""An HTTP proxy before the AWS emulator that lets one region fail, which the emulator cannot.

    faulty_proxy.py --port 5001 --upstream 127.0.0.1:5000
    curl -X POST http://127.0.0.1:5001/__fail -d '{"region":"eu-west-1","mode":"error"}'

Modes: `error` answers every request to the region with 503; `half` lets first pages through and
answers 503 to the following ones; `off` ends it. A request's region is the one in the credential
scope of its SigV4 signature.
"""

import argparse
import asyncio
import json
import re

CREDENTIAL_SCOPE = re.compile(rb"Credential=[^/]+/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request", re.IGNORECASE)
# EC2 and STS call the page token NextToken, RDS calls it Marker.
NEXT_PAGE = re.compile(rb"(?:^|&)(?:NextToken|Marker)=[^&]")
FAILURE = (
    b'<?xml version="1.0"?><Response><Errors><Error><Code>InternalError</Code>'
    b"<Message>An internal error has occurred</Message></Error></Errors><RequestID>0</RequestID></Response>"
)


class Closed(Exception):
    """The other side has closed the connection."""


class Proxy:
    def __init__(self, upstream):
        self.upstream = upstream
        self.failing = {}

    async def serve(self, reader, writer):
        """One connection of a client: requests one after another."""
        upstream = None
        try:
            while True:
                head, body = await read_message(reader)
                if head.startswith(b"POST /__fail"):
                    answer = self.told(body)
                elif self.must_fail(head, body):
                    answer = response(b"503 Service Unavailable", b"text/xml", FAILURE)
                else:
                    if upstream is None:
                        upstream = await asyncio.open_connection(*self.upstream)
                    answer = await self.forward(upstream, head, body)
                    if re.search(rb"\r\nconnection: *close", answer[: answer.find(b"\r\n\r\n")], re.IGNORECASE):
                        upstream[1].close()
                        upstream = None
                        writer.write(answer)
                        break
                writer.write(answer)
                await writer.drain()
        except (Closed, ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            if upstream is not None:
                upstream[1].close()

    async def forward(self, upstream, head, body):
        reader, writer = upstream
        writer.write(head + body)
        await writer.drain()
        head, body = await read_message(reader)
        return head + body

    def must_fail(self, head, body):
        scope = CREDENTIAL_SCOPE.search(head)
        mode = self.failing.get(scope.group(1).decode()) if scope else None
        return mode == "error" or (mode == "half" and NEXT_PAGE.search(body) is not None)

    def told(self, body):
        try:
            told = json.loads(body)
            region, mode = told["region"], told["mode"]
            if mode not in ("error", "half", "off"):
                raise ValueError(mode)
        except (ValueError, KeyError, TypeError):
            reason = b'{"error":"expected {\\"region\\": ..., \\"mode\\": \\"error\\" | \\"half\\" | \\"off\\"}"}\n'
            return response(b"400 Bad Request", b"application/json", reason)
        self.failing[region] = mode
        return response(b"200 OK", b"application/json", b"{}\n")


def response(status, content_type, body):
    return b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (status, content_type, len(body), body)


async def read_message(reader):
    """Head and body of a request or response, as received."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        raise Closed from error
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    if length:
        return head, await reader.readexactly(int(length.group(1)))
    if re.search(rb"\r\ntransfer-encoding: *chunked", head, re.IGNORECASE):
        return head, await read_chunks(reader)
    return head, b""


async def read_chunks(reader):
    body = bytearray()
    while True:
        size = await reader.readline()
        body += size
        length = int(size.split(b";")[0], 16)
        body += await reader.readexactly(length + 2)
        if length == 0:
            return bytes(body)


async def main():
    parser = argparse.ArgumentParser(description="A proxy before the AWS emulator that lets one region fail.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True, metavar="HOST:PORT")
    args = parser.parse_args()
    host, _, port = args.upstream.rpartition(":")
    proxy = Proxy((host, int(port)))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", args.port, limit=1024 * 1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass

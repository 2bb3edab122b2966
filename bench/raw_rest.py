"""Raw GETs over TLS from aiohttp, as the mark that the API server's reads are held against.

    python -m bench.raw_rest --cert FILE --key FILE --ca FILE --bytes 2000

serves one body of so many bytes on a free port of 127.0.0.1, whatever is asked, with the same server, event loop and TLS as the
API server, prints the port, and stays until it is terminated.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl

import uvloop
from aiohttp import web


async def serve(context: ssl.SSLContext, size_bytes: int) -> None:
    body = b"x" * size_bytes

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=body, content_type="application/json")

    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("cert", "key", "ca"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--bytes", type=int, default=2000)
    arguments = parser.parse_args()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments.cert, arguments.key)
    context.load_verify_locations(arguments.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    uvloop.run(serve(context, arguments.bytes))


if __name__ == "__main__":
    main()

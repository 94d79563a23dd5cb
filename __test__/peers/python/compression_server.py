"""The server half of python-compression.test.js: echo servers with different parameters of
permessage-deflate. Prints a port and the name of each; ends when its standard input does.
"""

import asyncio
import contextlib
import sys

from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

FACTORIES = {
    "defaults": {},
    "no-takeover": {"server_no_context_takeover": True, "client_no_context_takeover": True},
    "small": {"server_max_window_bits": 9, "client_max_window_bits": 9},
    "small-alone": {
        "server_no_context_takeover": True,
        "client_no_context_takeover": True,
        "server_max_window_bits": 9,
        "client_max_window_bits": 9,
    },
    "required": {"client_max_window_bits": 12, "require_client_max_window_bits": True},
}


async def handle(ws):
    async for message in ws:
        if message == "fragments, please":
            await ws.send(["one ", "two ", "", "three"])
        else:
            await ws.send(message)


async def main():
    async with contextlib.AsyncExitStack() as stack:
        for name, options in FACTORIES.items():
            factory = ServerPerMessageDeflateFactory(**options)
            server = await stack.enter_async_context(
                serve(handle, "127.0.0.1", 0, max_size=None, compression=None, extensions=[factory])
            )
            print("port", server.sockets[0].getsockname()[1], name, flush=True)
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())

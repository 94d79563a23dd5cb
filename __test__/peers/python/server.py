"""The server half of python.test.js: echoes, does what some texts ask for, prints its port.

Ends when its standard input does.
"""

import asyncio
import sys

from websockets import ConnectionClosed
from websockets.asyncio.server import serve


def select(ws, offered):
    return "second" if "second" in offered else None


async def handle(ws):
    try:
        async for message in ws:
            await answer(ws, message)
    except ConnectionClosed:
        pass  # neither 1000 nor 1001
    print("closed", ws.close_code, ws.close_reason, flush=True)


async def answer(ws, message):
    if message == "ping me":
        await (await ws.ping(b"p" * 125))
        await ws.send("got the pong")
    elif message == "fragments, please":
        await ws.send(["one ", "two ", "", "three"])
        await ws.send([b"bin", b"ary"])
    elif message == "close me":
        await ws.close(4002, "as asked")
    else:
        await ws.send(message)


async def main():
    async with serve(handle, "127.0.0.1", 0, max_size=None, select_subprotocol=select) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())

"""The server half of python.test.js: echoes, does what some texts ask for, prints its port.

Ends when its standard input does. With the arguments CERTIFICATE KEY VERSION it is one of wss.
"""

import asyncio
import ssl
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


def context():
    if len(sys.argv) == 1:
        return None
    certificate, key, version = sys.argv[1:]
    result = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    result.load_cert_chain(certificate, key)
    result.minimum_version = result.maximum_version = ssl.TLSVersion[version]
    return result


async def main():
    options = {"max_size": None, "select_subprotocol": select, "ssl": context()}
    async with serve(handle, "127.0.0.1", 0, **options) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())

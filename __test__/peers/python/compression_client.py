"""The client half of python-compression.test.js: agrees with the echo server at sys.argv[1] on
permessage-deflate in every way, exits 0 if all is well."""

import asyncio
import itertools
import os
import sys

from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

URL = sys.argv[1]
LINES = "\n".join(f"line {i}: the square of it is {i * i}" for i in range(4000))
MESSAGES = ["", "text", "日本語 🚢", LINES, os.urandom(70_000), LINES, b"", LINES[:1000]]


async def talk(factory):
    async with connect(URL, compression=None, extensions=[factory], max_size=None) as ws:
        assert [extension.name for extension in ws.protocol.extensions] == ["permessage-deflate"]
        for message in MESSAGES:
            await ws.send(message)
            assert await ws.recv() == message
        await ws.send(["one ", "two ", "", "three"])
        assert await ws.recv() == "one two three"
        await asyncio.wait_for(await ws.ping(b"p" * 125), 5)


async def main():
    count = 0
    for server, client, server_bits, client_bits in itertools.product(
        (False, True), (False, True), (None, 9, 12, 15), (None, True, 9, 12)
    ):
        factory = ClientPerMessageDeflateFactory(
            server_no_context_takeover=server,
            client_no_context_takeover=client,
            server_max_window_bits=server_bits,
            client_max_window_bits=client_bits,
        )
        await asyncio.wait_for(talk(factory), 20)
        count += 1
    print("agreed", count)


asyncio.run(main())

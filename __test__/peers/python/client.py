"""The client half of python.test.js: talks to the echo server at sys.argv[1], exits 0 if all is well."""

import asyncio
import sys

import websockets
from websockets.asyncio.client import connect

URL = sys.argv[1]
SIZES = [0, 1, 125, 126, 127, 4096, 65535, 65536, 1024 * 1024]


async def test_handshake():
    async with connect(URL, subprotocols=["first", "second"]) as ws:
        assert ws.subprotocol == "first", ws.subprotocol


async def test_sizes():
    async with connect(URL, max_size=None) as ws:
        for size in SIZES:
            binary = bytes(i % 256 for i in range(size))
            await ws.send(binary)
            assert await ws.recv() == binary, f"binary, {size} bytes"
            text = "x" * size
            await ws.send(text)
            assert await ws.recv() == text, f"text, {size} bytes"
        await ws.send("日本語 🚢")
        assert await ws.recv() == "日本語 🚢"


async def test_fragments():
    async with connect(URL) as ws:
        await ws.send(["one ", "two ", "", "three"])
        assert await ws.recv() == "one two three"
        await ws.send([b"bin", b"ary"])
        assert await ws.recv() == b"binary"


async def test_ping():
    async with connect(URL) as ws:
        for payload in (b"", b"p" * 125):
            pong = await ws.ping(payload)
            await asyncio.wait_for(pong, 5)


async def test_close():
    for code, reason in ((1000, "bye"), (4001, "ü" * 61)):
        async with connect(URL) as ws:
            await ws.close(code, reason)
            assert (ws.close_code, ws.close_reason) == (code, reason), (ws.close_code, ws.close_reason)


async def test_closed_by_server():
    async with connect(URL) as ws:
        await ws.send("close me")
        try:
            await ws.recv()
        except websockets.ConnectionClosed as exc:
            assert (exc.rcvd.code, exc.rcvd.reason) == (4002, "as asked"), exc
        else:
            raise AssertionError("not closed")


async def test_burst():
    async with connect(URL) as ws:
        for i in range(2000):
            await ws.send(str(i))
        for i in range(2000):
            assert await ws.recv() == str(i)


async def main():
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            await asyncio.wait_for(test(), 20)
            print(name)


asyncio.run(main())

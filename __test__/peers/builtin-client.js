'use strict';

// The client half of builtin.test.js: Node's own WebSocket against the echo server at argv[2].
// A process of its own, since Node 20 has that class only behind --experimental-websocket.

const assert = require('node:assert');

const url = process.argv[2];
const SIZES = [0, 1, 125, 126, 127, 4096, 65535, 65536, 1024 * 1024];

function next(ws, type) {
  return new Promise((resolve, reject) => {
    ws.addEventListener(type, resolve, { once: true });
    if (type !== 'error') {
      ws.addEventListener('error', () => reject(new Error(`error before ${type}`)), { once: true });
    }
  });
}

async function connect(protocols) {
  const ws = new WebSocket(url, protocols);
  ws.binaryType = 'arraybuffer';
  await next(ws, 'open');
  return ws;
}

async function main() {
  const ws = await connect(['first', 'second']);
  assert.strictEqual(ws.protocol, 'first');

  for (const size of SIZES) {
    const bytes = new Uint8Array(size).map((_, i) => i);
    let message = next(ws, 'message');
    ws.send(bytes);
    assert.deepStrictEqual(new Uint8Array((await message).data), bytes);

    message = next(ws, 'message');
    ws.send('é'.repeat(size));
    assert.strictEqual((await message).data, 'é'.repeat(size));
  }

  let close = next(ws, 'close');
  ws.close(4001, 'bye');
  let event = await close;
  assert.deepStrictEqual([event.code, event.reason, event.wasClean], [4001, 'bye', true]);

  const second = await connect();
  close = next(second, 'close');
  second.send('close me');
  event = await close;
  assert.deepStrictEqual([event.code, event.reason, event.wasClean], [4002, 'as asked', true]);
}

main();

'use strict';

// permessage-deflate between the implementation and Bun.

const assert = require('node:assert');
const readline = require('node:readline');
const { randomBytes } = require('node:crypto');
const { once } = require('node:events');
const { messages, test } = require('../support/helpers.js');
const { prose } = require('../support/deflate.js');
const { WebSocket, WebSocketServer } = require('../support/impl.js');
const { HINT, bun, run } = require('./bun-peer.js');
const { needPeer } = require('./need-peer.js');

for (const perMessageDeflate of [
  true,
  { serverNoContextTakeover: true },
  { serverMaxWindowBits: 9 }
]) {
  test(`client of Bun: ${JSON.stringify(perMessageDeflate)}`, async (t) => {
    if (!needPeer(t, bun, HINT)) return;
    const wss = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate });
    t.after(() => wss.close());
    await once(wss, 'listening');
    const extensions = [];
    wss.on('connection', (ws) => {
      extensions.push(ws.extensions);
      ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
    });
    const child = run(t, 'client.js', `ws://127.0.0.1:${wss.address().port}`);
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    const [status] = await once(child, 'close');
    assert.strictEqual(status, 0, output);
    assert.match(output, /^ok /);
    assert.deepStrictEqual(extensions, ['permessage-deflate']);
  });
}

test('server of Bun', async (t) => {
  if (!needPeer(t, bun, HINT)) return;
  const child = run(t, 'server.js');
  const [port] = await once(readline.createInterface({ input: child.stdout }), 'line');
  for (const perMessageDeflate of [
    true,
    { clientNoContextTakeover: true, serverNoContextTakeover: true },
    { clientMaxWindowBits: 10 },
    { threshold: 0 }
  ]) {
    const ws = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate });
    await once(ws, 'open');
    assert.strictEqual(ws.extensions, 'permessage-deflate');
    const payloads = ['', 'short', prose(200), prose(200), prose(100_000), randomBytes(50_000)];
    for (const payload of payloads) {
      const received = messages(ws, 1);
      ws.send(payload);
      const [[data, isBinary]] = await received;
      assert.strictEqual(isBinary, typeof payload !== 'string');
      assert.ok(data.equals(Buffer.from(payload)));
    }
    const closed = once(ws, 'close');
    ws.close(1000);
    await closed;
  }
});

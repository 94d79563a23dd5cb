'use strict';

// The implementation's server against the WebSocket class that Node itself has (undici's).

const assert = require('node:assert');
const path = require('node:path');
const { once } = require('node:events');
const { spawn } = require('node:child_process');
const { test } = require('../support/helpers.js');
const { WebSocketServer } = require('../support/impl.js');

test("client of Node's own WebSocket", (t) => converse(t, { perMessageDeflate: false }));

test("client of Node's own WebSocket, compressed", async (t) => {
  for (const perMessageDeflate of [
    true,
    { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 },
    { serverMaxWindowBits: 9 }
  ]) {
    await converse(t, { perMessageDeflate });
  }
});

async function converse(t, options) {
  const wss = new WebSocketServer({ host: '127.0.0.1', port: 0, ...options });
  t.after(() => wss.close());
  await once(wss, 'listening');
  const closes = [];
  const pongs = [];
  wss.on('connection', (ws) => {
    // it depends on the version of Node whether it offers
    assert.match(ws.extensions, options.perMessageDeflate ? /^(permessage-deflate)?$/ : /^$/);
    ws.ping('hello');
    ws.on('pong', (data) => pongs.push(data.toString()));
    ws.on('message', (data, isBinary) => {
      if (data.toString() === 'close me') ws.close(4002, 'as asked');
      else ws.send(data, { binary: isBinary });
    });
    ws.on('close', (code, reason) => closes.push([code, reason.toString()]));
  });

  const flags = typeof WebSocket === 'undefined' ? ['--experimental-websocket'] : [];
  const child = spawn(process.execPath, [
    ...flags,
    path.join(__dirname, 'builtin-client.js'),
    `ws://127.0.0.1:${wss.address().port}`
  ]);
  t.after(() => child.kill());
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const [status] = await once(child, 'close');
  assert.strictEqual(status, 0, output);
  assert.deepStrictEqual(closes, [
    [4001, 'bye'],
    [4002, ''] // undici answers with the code alone
  ]);
  assert.deepStrictEqual(pongs, ['hello', 'hello']);
}

'use strict';

// The server half of builtin.test.js and tls-builtin.test.js.

const assert = require('node:assert');
const path = require('node:path');
const { once } = require('node:events');
const { spawn } = require('node:child_process');
const { WebSocketServer } = require('../support/impl.js');

/** A server with `options` and builtin-client.js, which runs with `env`. */
async function converse(t, options, env) {
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
  const scheme = options.cert ? 'wss' : 'ws';
  const url = `${scheme}://127.0.0.1:${wss.address().port}`;
  const client = path.join(__dirname, 'builtin-client.js');
  const child = spawn(process.execPath, [...flags, client, url], {
    env: { ...process.env, ...env }
  });
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

module.exports = { converse };

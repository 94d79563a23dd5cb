'use strict';

// permessage-deflate between the implementation and the Python package websockets.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { randomBytes } = require('node:crypto');
const { once } = require('node:events');
const { spawn, spawnSync } = require('node:child_process');
const { describe, before, after } = require('node:test');
const { messages, test } = require('../support/helpers.js');
const { prose } = require('../support/deflate.js');
const { WebSocket, WebSocketServer } = require('../support/impl.js');
const { needPeer } = require('./need-peer.js');

const NAME = 'permessage-deflate';
const HINT =
  'Python with websockets is missing: python3 -m venv __test__/peers/.venv && ' +
  '__test__/peers/.venv/bin/pip install websockets';

const python = [path.join(__dirname, '.venv', 'bin', 'python'), 'python3'].find(hasWebsockets);

function hasWebsockets(executable) {
  if (path.isAbsolute(executable) && !fs.existsSync(executable)) return false;
  return spawnSync(executable, ['-c', 'import websockets.asyncio.client']).status === 0;
}

function script(name) {
  return path.join(__dirname, 'python', name);
}

test('client of Python websockets: every way to agree', { timeout: 60_000 }, async (t) => {
  if (!needPeer(t, python, HINT)) return;
  const wss = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: true });
  t.after(() => wss.close());
  await once(wss, 'listening');
  let agreed = 0;
  wss.on('connection', (ws) => {
    if (ws.extensions === NAME) agreed++;
    ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
  });
  const url = `ws://127.0.0.1:${wss.address().port}`;
  const child = spawn(python, [script('compression_client.py'), url]);
  t.after(() => child.kill());
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const [status] = await once(child, 'close');
  assert.strictEqual(status, 0, output);
  assert.strictEqual(output.trim(), `agreed ${agreed}`);
  assert.strictEqual(agreed, 64);
});

describe('server of Python websockets', () => {
  let child;
  const urls = new Map();

  before(async () => {
    if (!python) return;
    child = spawn(python, [script('compression_server.py')], {
      stdio: ['pipe', 'pipe', 'inherit']
    });
    for await (const line of readline.createInterface({ input: child.stdout })) {
      const [word, port, name] = line.split(' ');
      if (word === 'ready') break;
      urls.set(name, `ws://127.0.0.1:${port}`);
    }
  });

  after(async () => {
    if (!child) return;
    child.stdin.end();
    if (child.exitCode === null) await once(child, 'exit');
  });

  // [server, option of the client, parameters of the answer]
  for (const [server, perMessageDeflate, answer] of [
    ['defaults', true, ''],
    ['defaults', { serverMaxWindowBits: 10, clientMaxWindowBits: 11 }, 'server_max_window_bits=10'],
    ['defaults', { serverNoContextTakeover: true }, 'server_no_context_takeover'],
    ['defaults', { clientNoContextTakeover: true }, 'client_no_context_takeover'],
    ['no-takeover', true, 'server_no_context_takeover; client_no_context_takeover'],
    ['small', true, 'server_max_window_bits=9; client_max_window_bits=9'],
    [
      'small-alone',
      { clientMaxWindowBits: 12 },
      'server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; ' +
        'client_max_window_bits=9'
    ],
    ['required', true, 'client_max_window_bits=12']
  ]) {
    test(`${server}, ${JSON.stringify(perMessageDeflate)}`, async (t) => {
      if (!needPeer(t, python, HINT)) return;
      const ws = new WebSocket(urls.get(server), { perMessageDeflate });
      t.after(() => ws.terminate());
      const [[res]] = await Promise.all([once(ws, 'upgrade'), once(ws, 'open')]);
      const header = res.headers['sec-websocket-extensions'];
      // the order is that of the peer, and it may confirm what it was asked for
      for (const param of answer.split('; ').filter(Boolean)) {
        assert.ok(header.split('; ').includes(param), header);
      }
      const random = randomBytes(70_000);
      const list = ['', 'text', prose(100_000), random, prose(100_000), random, prose(1000)];
      const got = messages(ws, list.length + 1);
      for (const data of list) ws.send(data);
      ws.send('fragments, ', { fin: false });
      ws.ping();
      ws.send('please');
      const received = await got;
      [...list, 'one two three'].forEach((data, i) => {
        assert.ok(received[i][0].equals(Buffer.from(data)), `message ${i}`);
        assert.strictEqual(received[i][1], typeof data !== 'string');
      });
    });
  }
});

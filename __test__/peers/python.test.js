'use strict';

// The implementation against the Python package websockets, as the server and as the client.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { once } = require('node:events');
const { spawn, spawnSync } = require('node:child_process');
const { describe, before, after } = require('node:test');
const { test } = require('../support/helpers.js');
const { WebSocket, WebSocketServer } = require('../support/impl.js');
const { needPeer } = require('./need-peer.js');

const SIZES = [0, 1, 125, 126, 127, 4096, 65535, 65536, 1024 * 1024];
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

test('client of Python websockets', async (t) => {
  if (!needPeer(t, python, HINT)) return;
  const wss = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  t.after(() => wss.close());
  await once(wss, 'listening');
  const closes = [];
  wss.on('connection', (ws) => {
    ws.on('message', (data, isBinary) => {
      if (data.toString() === 'close me') ws.close(4002, 'as asked');
      else ws.send(data, { binary: isBinary });
    });
    ws.on('close', (code, reason) => closes.push([code, reason.toString()]));
  });

  const child = spawn(python, [script('client.py'), `ws://127.0.0.1:${wss.address().port}`]);
  t.after(() => child.kill());
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const [status] = await once(child, 'close');
  assert.strictEqual(status, 0, output);
  assert.deepStrictEqual(closes, [
    ...Array(4).fill([1000, '']),
    [1000, 'bye'],
    [4001, 'ü'.repeat(61)],
    [4002, 'as asked'],
    [1000, '']
  ]);
});

describe('server of Python websockets', () => {
  let child;
  let lines;
  let url;

  before(async () => {
    if (!python) return;
    child = spawn(python, [script('server.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
    lines = readline.createInterface({ input: child.stdout });
    const [line] = await once(lines, 'line');
    url = `ws://127.0.0.1:${line.split(' ')[1]}`;
  });

  after(async () => {
    if (!child) return;
    child.stdin.end();
    if (child.exitCode === null) await once(child, 'exit');
  });

  async function connect(t, ...args) {
    const ws = new WebSocket(url, ...args);
    t.after(() => ws.terminate());
    await once(ws, 'open');
    return ws;
  }

  test('subprotocol', async (t) => {
    if (!needPeer(t, python, HINT)) return;
    const ws = await connect(t, ['first', 'second']);
    assert.strictEqual(ws.protocol, 'second');
  });

  test('messages of all frame lengths', async (t) => {
    if (!needPeer(t, python, HINT)) return;
    const ws = await connect(t);
    for (const size of SIZES) {
      for (const isBinary of [true, false]) {
        const data = Buffer.from(Array.from({ length: size }, (_, i) => i % 128));
        ws.send(data, { binary: isBinary });
        const [echo, isEchoBinary] = await once(ws, 'message');
        assert(data.equals(echo), `${size} bytes`);
        assert.strictEqual(isEchoBinary, isBinary);
      }
    }
  });

  test('fragments both ways', async (t) => {
    if (!needPeer(t, python, HINT)) return;
    const ws = await connect(t);
    ws.send('frag', { fin: false });
    ws.ping();
    ws.send('ments, ', { fin: false });
    ws.send('please', { fin: true });
    // both may come in one read
    const messages = [];
    await new Promise((resolve) => {
      ws.on('message', (data, isBinary) => {
        messages.push([data.toString(), isBinary]);
        if (messages.length === 2) resolve();
      });
    });
    assert.deepStrictEqual(messages, [
      ['one two three', false],
      ['binary', true]
    ]);
  });

  test('ping and pong both ways', async (t) => {
    if (!needPeer(t, python, HINT)) return;
    const ws = await connect(t);
    const pong = once(ws, 'pong');
    ws.ping('hello');
    assert.strictEqual((await pong)[0].toString(), 'hello');
    const ping = once(ws, 'ping');
    const message = once(ws, 'message');
    ws.send('ping me');
    assert.strictEqual((await ping)[0].length, 125);
    assert.strictEqual((await message)[0].toString(), 'got the pong');
  });

  test('close, by either side', async (t) => {
    if (!needPeer(t, python, HINT)) return;
    const first = await connect(t);
    first.send('close me');
    const [code, reason] = await once(first, 'close');
    assert.strictEqual(code, 4002);
    assert.strictEqual(reason.toString(), 'as asked');

    const second = await connect(t);
    const seen = new Promise((resolve) => {
      lines.on('line', (line) => line.includes('4003') && resolve(line));
    });
    second.close(4003, 'enough');
    assert.strictEqual((await once(second, 'close'))[0], 4003);
    assert.strictEqual(await seen, 'closed 4003 enough');
  });
});

'use strict';

// ref() and unref() of a WebSocket's socket, and of the server beside it: what keeps a process.

const assert = require('node:assert');
const { NET_SOCKET, SERVER, createClient } = require('./support/carriers');
const { delay, discard, messages, once, serve, test, within } = require('./support/helpers');
const { child } = require('./support/child');

/** Demands that the process ends by itself with code 0. */
async function ends(running) {
  const { code, signal, stderr, lines } = await running.exit;
  assert.deepStrictEqual([code, signal, stderr], [0, null, '']);
  return lines;
}

/** Demands that the process is still there after a while. */
async function stays({ proc, said }, word) {
  await within(said(word), `'${word}'`);
  await delay(300);
  assert.strictEqual(proc.exitCode, null);
}

test(
  'a client whose socket is unref()ed lets the process go',
  { carriers: NET_SOCKET },
  async (t) => {
    const wss = await serve(t);
    const connection = once(wss, 'connection');
    const running = child(
      t,
      `const ws = createClient(arg);
    ws.on('open', () => {
      say(ws._socket.unref() === ws._socket);
    });`,
      wss.testUrl
    );
    const [peer] = await connection;
    const closed = once(peer, 'close');
    assert.deepStrictEqual(await ends(running), ['true']);
    assert.strictEqual((await closed)[0], 1006);
  }
);

test('ref() takes it back', { carriers: NET_SOCKET }, async (t) => {
  const wss = await serve(t);
  const connection = once(wss, 'connection');
  const running = child(
    t,
    `const ws = createClient(arg);
    ws.on('open', () => {
      ws._socket.unref();
      ws._socket.unref();
      ws._socket.ref();
      say('referenced');
    });
    ws.on('close', (code) => say('close', code));`,
    wss.testUrl
  );
  const [peer] = await connection;
  await stays(running, 'referenced');
  peer.close(1001);
  assert.deepStrictEqual(await ends(running), ['referenced', 'close 1001']);
});

test(
  'an unref()ed connection works while something else keeps the process',
  { carriers: NET_SOCKET },
  async (t) => {
    const wss = await serve(t);
    const connection = once(wss, 'connection');
    const running = child(
      t,
      `const ws = createClient(arg);
    const keep = setInterval(() => {}, 1000);
    ws.on('open', () => {
      ws._socket.unref();
      ws.send('open');
    });
    ws.on('message', (data) => {
      say(data);
      clearInterval(keep);
    });`,
      wss.testUrl
    );
    const [peer] = await connection;
    assert.strictEqual(String((await messages(peer, 1))[0][0]), 'open');
    peer.send('go');
    assert.deepStrictEqual(await ends(running), ['go']);
  }
);

test('a connection of a server, unref()ed', { carriers: NET_SOCKET }, async (t) => {
  const running = child(
    t,
    `const wss = createServer();
    wss.on('listening', () => say('listening', wss.testUrl));
    wss.on('connection', (ws) => {
      ws._socket.unref();
      wss.testServer?.close();
      wss.close();
    });`
  );
  const [, url] = (await running.said('listening')).split(' ');
  const client = createClient(url);
  t.after(() => discard(client));
  const closed = once(client, 'close');
  await once(client, 'open');
  await ends(running);
  assert.strictEqual((await closed)[0], 1006);
});

test(
  'an http.Server that is unref()ed: its WebSockets count for themselves',
  { carriers: SERVER },
  async (t) => {
    await ends(child(t, `createServer().testServer.unref();`));
    const running = child(
      t,
      `const wss = createServer();
    wss.on('listening', () => say('listening', wss.testUrl));
    wss.on('connection', (ws) => {
      wss.testServer.unref();
      ws.on('close', () => say('close'));
      say('connection');
    });`
    );
    const [, url] = (await running.said('listening')).split(' ');
    const client = createClient(url);
    t.after(() => discard(client));
    await once(client, 'open');
    await stays(running, 'connection');
    client.close();
    assert.strictEqual((await ends(running)).at(-1), 'close');
  }
);

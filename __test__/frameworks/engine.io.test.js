'use strict';

// engine.io, the transport of Socket.IO, by itself: `noServer`, `handleUpgrade`, 'headers'.

const assert = require('node:assert');
const http = require('node:http');
const { dial, once, within } = require('../support/helpers.js');
const { frameworkTest, load } = require('./support/load.js');
const { listen } = require('./support/http.js');

const { attach } = load('engine.io');
const { Socket } = load('engine.io-client');

async function start(t, options) {
  const server = http.createServer();
  const engine = attach(server, options);
  t.after(() => engine.close());
  engine.url = `ws://${await listen(t, server)}`;
  return engine;
}

function client(t, engine, options) {
  const socket = new Socket(engine.url, options);
  t.after(() => socket.close());
  return socket;
}

/** The next `count` messages. */
function messages(socket, count) {
  const list = [];
  return within(
    new Promise((resolve, reject) => {
      socket.on('message', (data) => list.push(data) === count && resolve(list));
      socket.on('close', (reason) => reject(new Error(`closed: ${reason}`)));
    }),
    `${count} messages`
  );
}

/** Where a client without engine.io reaches the websocket transport. */
const wsUrl = (engine) => `${engine.url}/engine.io/?EIO=4&transport=websocket`;

frameworkTest('messages keep their order across the upgrade from polling', async (t) => {
  const engine = await start(t);
  engine.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  const socket = client(t, engine);
  const upgraded = once(socket, 'upgrade');
  const echoes = messages(socket, 300);
  await once(socket, 'open');
  assert.strictEqual(socket.transport.name, 'polling');
  const sent = Array.from({ length: 300 }, (_, i) => `message ${i}`);
  for (const text of sent.slice(0, 100)) socket.send(text);
  await once(socket, 'upgrading');
  for (const text of sent.slice(100, 200)) socket.send(text);
  const [transport] = await upgraded;
  assert.strictEqual(transport.name, 'websocket');
  for (const text of sent.slice(200)) socket.send(text);
  assert.deepStrictEqual(await echoes, sent);
  assert.strictEqual(socket.transport.name, 'websocket');
  assert.strictEqual(engine.clients[socket.id].transport.name, 'websocket');
});

frameworkTest('websocket only: text and binary of many sizes, both ways', async (t) => {
  const engine = await start(t);
  engine.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  const socket = client(t, engine, { transports: ['websocket'] });
  const sent = [];
  for (const size of [1, 124, 125, 126, 65534, 65535, 65536, 500_000]) {
    sent.push('é'.repeat(size / 2 + 1), Buffer.alloc(size, 'binary'));
  }
  const echoes = messages(socket, sent.length);
  await once(socket, 'open');
  for (const data of sent) socket.send(data);
  assert.deepStrictEqual(await echoes, sent);
});

frameworkTest('the callback of send', async (t) => {
  const engine = await start(t);
  const connection = once(engine, 'connection');
  const socket = client(t, engine, { transports: ['websocket'] });
  const [peer] = await connection;
  const received = messages(socket, 2);
  const sent = new Promise((resolve) => peer.send('with callback', {}, resolve));
  const drained = once(peer, 'drain');
  assert.strictEqual((await within(sent, 'the callback')).name, 'websocket');
  await drained;
  peer.send(Buffer.from('more'));
  assert.deepStrictEqual(await received, ['with callback', Buffer.from('more')]);
});

frameworkTest('heartbeat', async (t) => {
  const engine = await start(t, { pingInterval: 10, pingTimeout: 5000 });
  const connection = once(engine, 'connection');
  const socket = client(t, engine, { transports: ['websocket'] });
  const [peer] = await connection;
  await once(socket, 'ping');
  await once(peer, 'heartbeat');
  await once(peer, 'heartbeat');
});

frameworkTest('headers of the 101, by events and by a middleware', async (t) => {
  const engine = await start(t);
  engine.use((req, res, next) => {
    res.setHeader('X-Middleware', 'yes');
    next();
  });
  engine.on('initial_headers', (headers, req) => {
    headers['X-Url'] = req.url;
  });
  engine.on('headers', (headers) => {
    headers['X-Each'] = 'yes';
  });
  const ws = dial(t, wsUrl(engine));
  const [response] = await once(ws, 'upgrade');
  assert.strictEqual(response.headers['x-url'], '/engine.io/?EIO=4&transport=websocket');
  assert.strictEqual(response.headers['x-each'], 'yes');
  assert.strictEqual(response.headers['x-middleware'], 'yes');
});

frameworkTest('a refused upgrade', async (t) => {
  const engine = await start(t, {
    allowRequest: (req, callback) => callback('no', req.headers['x-token'] === 'yes')
  });
  const refused = dial(t, wsUrl(engine));
  const [error] = await once(refused, 'error');
  assert.strictEqual(error.message, 'Unexpected server response: 400');
  const allowed = dial(t, wsUrl(engine), { headers: { 'X-Token': 'yes' } });
  const [data, isBinary] = await once(allowed, 'message');
  assert.strictEqual(isBinary, false);
  assert.match(data.toString(), /^0\{"sid":/);
});

frameworkTest('both sides hear of each way to end', async (t) => {
  const engine = await start(t);
  const open = async () => {
    const connection = once(engine, 'connection');
    const socket = client(t, engine, { transports: ['websocket'] });
    const opened = once(socket, 'open');
    const [peer] = await connection;
    await opened;
    return { socket, peer, closes: [once(socket, 'close'), once(peer, 'close')] };
  };
  const reasons = async ({ closes }) => (await Promise.all(closes)).map(([reason]) => reason);

  const first = await open();
  first.socket.close();
  assert.deepStrictEqual(await reasons(first), ['forced close', 'transport close']);

  const second = await open();
  second.peer.close();
  assert.deepStrictEqual(await reasons(second), ['transport close', 'forced close']);

  const third = await open();
  third.socket.transport.ws.terminate();
  assert.deepStrictEqual(await reasons(third), ['transport close', 'transport close']);

  const fourth = await open();
  engine.close();
  assert.deepStrictEqual(await reasons(fourth), ['transport close', 'forced close']);
});

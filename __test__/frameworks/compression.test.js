'use strict';

// permessage-deflate (RFC 7692) as frameworks ask for it: the option of a server, and the offer
// that the client of engine.io makes by default.

const assert = require('node:assert');
const http = require('node:http');
const { HOST, connect, dial, echo, messages, once, within } = require('../support/helpers.js');
const { frameworkTest, load } = require('./support/load.js');
const { listen } = require('./support/http.js');

const { Server } = load('socket.io');
const { io: connectTo } = load('socket.io-client');
const Fastify = load('fastify');
const websocket = load('@fastify/websocket');

const PAYLOADS = ['short', 'lang und größer '.repeat(30_000), Buffer.alloc(100_000, 'zip')];

async function startSocketIo(t, options) {
  const server = http.createServer();
  const io = new Server(server, options);
  t.after(() => io.close());
  io.on('connection', (socket) => socket.on('echo', (value, reply) => reply(value)));
  return `http://${await listen(t, server)}`;
}

async function connectSocketIo(t, url) {
  const socket = connectTo(url, {
    forceNew: true,
    reconnection: false,
    transports: ['websocket']
  });
  t.after(() => socket.close());
  await within(new Promise((resolve) => socket.once('connect', resolve)), "'connect'");
  return socket;
}

const extensionsOf = (socket) => socket.io.engine.transport.ws.extensions;

frameworkTest('Socket.IO with perMessageDeflate', async (t) => {
  const url = await startSocketIo(t, { perMessageDeflate: { threshold: 0 } });
  const socket = await connectSocketIo(t, url);
  assert.strictEqual(extensionsOf(socket), 'permessage-deflate');
  for (const value of PAYLOADS) {
    assert.deepStrictEqual(await socket.timeout(8000).emitWithAck('echo', value), value);
  }
});

frameworkTest('Socket.IO without it: the offer of the client is not taken up', async (t) => {
  const socket = await connectSocketIo(t, await startSocketIo(t));
  assert.strictEqual(extensionsOf(socket), '');
  assert.strictEqual(await socket.timeout(8000).emitWithAck('echo', 'plain'), 'plain');
});

frameworkTest('Fastify with perMessageDeflate', async (t) => {
  const app = Fastify({ forceCloseConnections: true });
  t.after(() => app.close());
  await app.register(websocket, {
    options: { perMessageDeflate: { serverNoContextTakeover: true, threshold: 10 } }
  });
  await app.register(async (scope) => scope.get('/', { websocket: true }, echo));
  await app.listen({ host: HOST, port: 0 });
  const url = `ws://${HOST}:${app.server.address().port}/`;

  const ws = dial(t, url);
  const opened = once(ws, 'open');
  const [{ headers }] = await once(ws, 'upgrade');
  await opened;
  const agreed = headers['sec-websocket-extensions'];
  assert.strictEqual(agreed, 'permessage-deflate; server_no_context_takeover');
  assert.strictEqual(ws.extensions, 'permessage-deflate');
  const echoes = messages(ws, PAYLOADS.length);
  for (const payload of PAYLOADS) ws.send(payload);
  assert.deepStrictEqual(
    await echoes,
    PAYLOADS.map((payload) => [Buffer.from(payload), typeof payload !== 'string'])
  );

  const plain = await connect(t, url, { perMessageDeflate: false });
  assert.strictEqual(plain.extensions, '');
  plain.send('plain');
  assert.strictEqual(String((await once(plain, 'message'))[0]), 'plain');
});

'use strict';

// Socket.IO 4, server and client.

const assert = require('node:assert');
const http = require('node:http');
const { once, within } = require('../support/helpers.js');
const WebSocket = require('../support/impl.js');
const { frameworkTest, load } = require('./support/load.js');
const { listen } = require('./support/http.js');

const { Server } = load('socket.io');
const { io: connectTo } = load('socket.io-client');

const WEBSOCKET_ONLY = { transports: ['websocket'] };

async function start(t, options) {
  const server = http.createServer();
  const io = new Server(server, options);
  t.after(() => io.close());
  io.url = `http://${await listen(t, server)}`;
  return io;
}

function client(t, io, options) {
  const socket = connectTo(io.url, { forceNew: true, reconnection: false, ...options });
  t.after(() => socket.close());
  return socket;
}

/** A connected client and the server's side of it. */
async function connect(t, io, options) {
  const connection = once(io, 'connection');
  const socket = client(t, io, options);
  const connected = new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  const [[peer]] = await Promise.all([connection, within(connected, "'connect'")]);
  return { socket, peer };
}

/** An upgrade that has been waited for on both sides. */
async function upgraded({ socket, peer }) {
  if (socket.io.engine.transport.name === 'polling') await once(socket.io.engine, 'upgrade');
  if (peer.conn.transport.name === 'polling') await once(peer.conn, 'upgrade');
}

/** Collects what comes in, as [event, ...args]. */
function record(socket) {
  const log = [];
  socket.onAny((...args) => log.push(args));
  return log;
}

frameworkTest('polling, then the upgrade to websocket', async (t) => {
  const io = await start(t);
  io.on('connection', (socket) => socket.on('twice', (n, reply) => reply(2 * n)));
  const transports = [];
  io.engine.once('connection', (conn) => transports.push(conn.transport.name));
  const pair = await connect(t, io);
  const { socket, peer } = pair;
  const answers = [];
  for (let n = 0; n < 50; n++) socket.emit('twice', n, (answer) => answers.push(answer));
  await upgraded(pair);
  transports.push(peer.conn.transport.name);
  assert.deepStrictEqual(transports, ['polling', 'websocket']);
  assert.strictEqual(await socket.emitWithAck('twice', 50), 100);
  assert.deepStrictEqual(
    answers,
    Array.from({ length: 50 }, (_, n) => 2 * n)
  );
  assert.strictEqual(io.engine.clientsCount, 1);
});

frameworkTest('websocket only: handshake, events and acks both ways', async (t) => {
  const io = await start(t);
  io.use((socket, next) => {
    socket.data.user = socket.handshake.auth.user;
    next();
  });
  const { socket, peer } = await connect(t, io, {
    ...WEBSOCKET_ONLY,
    auth: { user: 'Ada' },
    extraHeaders: { 'X-Token': 'abc' },
    query: { room: '7' }
  });
  assert.strictEqual(socket.io.engine.transport.name, 'websocket');
  assert.strictEqual(peer.data.user, 'Ada');
  assert.strictEqual(peer.handshake.headers['x-token'], 'abc');
  assert.strictEqual(peer.handshake.query.room, '7');
  assert.strictEqual(peer.handshake.address, '127.0.0.1');

  peer.on('sum', (a, b, reply) => reply({ sum: a + b }));
  socket.on('upper', (text, reply) => reply(text.toUpperCase(), null));
  assert.deepStrictEqual(await socket.timeout(8000).emitWithAck('sum', 1, 2), { sum: 3 });
  assert.strictEqual(await peer.timeout(8000).emitWithAck('upper', 'straße'), 'STRASSE');

  const silent = socket.timeout(1).emitWithAck('nobody listens');
  await assert.rejects(silent, /operation has timed out/);
});

frameworkTest('a middleware refuses a client', async (t) => {
  const io = await start(t);
  io.use((socket, next) => next(new Error('not today')));
  const [error] = await once(client(t, io, WEBSOCKET_ONLY), 'connect_error');
  assert.strictEqual(error.message, 'not today');
});

for (const [title, options] of [
  ['websocket', WEBSOCKET_ONLY],
  ['after the upgrade', {}]
]) {
  frameworkTest(`binary both ways, ${title}`, async (t) => {
    const io = await start(t);
    const pair = await connect(t, io, options);
    await upgraded(pair);
    const { socket, peer } = pair;
    const large = Buffer.alloc(600_000, 'large');
    const payload = {
      name: 'files',
      files: [Buffer.from([1, 2, 3]), Buffer.alloc(0), Buffer.alloc(70_000, 7)],
      nested: { bytes: new Uint8Array([250, 251]), text: 'déjà vu' }
    };
    const received = { ...payload, nested: { ...payload.nested, bytes: Buffer.from([250, 251]) } };
    for (const [from, to] of [
      [socket, peer],
      [peer, socket]
    ]) {
      to.on('bytes', (value, reply) => reply(value));
      for (const [sent, expected] of [
        [large, large],
        [payload, received]
      ]) {
        const arrival = once(to, 'bytes');
        const echo = await from.timeout(8000).emitWithAck('bytes', sent);
        assert.deepStrictEqual((await arrival)[0], expected);
        assert.deepStrictEqual(echo, expected);
      }
    }
  });
}

frameworkTest('broadcast to rooms', async (t) => {
  const io = await start(t);
  const [ada, bob, eve] = [
    await connect(t, io, WEBSOCKET_ONLY),
    await connect(t, io, WEBSOCKET_ONLY),
    await connect(t, io, WEBSOCKET_ONLY)
  ];
  ada.peer.join('friends');
  bob.peer.join(['friends', 'builders']);
  const logs = [ada, bob, eve].map(({ socket }) => record(socket));
  const last = Promise.all([ada, bob, eve].map(({ socket }) => once(socket, 'all')));

  io.to('friends').emit('news', 'für Freunde', { n: 1 });
  io.to('builders').emit('plan', Buffer.from('blueprint'));
  ada.peer.to('friends').emit('from ada', 'x'.repeat(100_000));
  io.except('friends').emit('rest');
  io.emit('all');
  await last;
  assert.deepStrictEqual(logs, [
    [['news', 'für Freunde', { n: 1 }], ['all']],
    [
      ['news', 'für Freunde', { n: 1 }],
      ['plan', Buffer.from('blueprint')],
      ['from ada', 'x'.repeat(100_000)],
      ['all']
    ],
    [['rest'], ['all']]
  ]);

  for (const { socket } of [ada, bob]) socket.on('who', (reply) => reply(socket.id));
  const answers = await io.timeout(8000).to('friends').emitWithAck('who');
  assert.deepStrictEqual(answers.sort(), [ada.socket.id, bob.socket.id].sort());

  bob.peer.leave('friends');
  const next = once(bob.socket, 'all');
  io.to('friends').emit('news', 'without Bob');
  io.emit('all');
  await next;
  assert.deepStrictEqual(
    logs[1].slice(4).map(([event]) => event),
    ['who', 'all']
  );
});

frameworkTest('namespaces share a connection', async (t) => {
  const io = await start(t);
  io.of('/admin').on('connection', (socket) => socket.emit('welcome', socket.nsp.name));
  const { socket } = await connect(t, io, WEBSOCKET_ONLY);
  const admin = socket.io.socket('/admin');
  assert.deepStrictEqual(await once(admin, 'welcome'), ['/admin']);
  assert.strictEqual(io.engine.clientsCount, 1);
});

frameworkTest('reasons of a disconnect', async (t) => {
  const io = await start(t);
  const open = async () => {
    const { socket, peer } = await connect(t, io, WEBSOCKET_ONLY);
    return { socket, peer, ends: [once(socket, 'disconnect'), once(peer, 'disconnect')] };
  };
  const reasons = async ({ ends }) => (await Promise.all(ends)).map(([reason]) => reason);

  const first = await open();
  first.socket.disconnect();
  assert.deepStrictEqual(await reasons(first), [
    'io client disconnect',
    'client namespace disconnect'
  ]);
  const second = await open();
  second.peer.disconnect(true);
  assert.deepStrictEqual(await reasons(second), [
    'io server disconnect',
    'server namespace disconnect'
  ]);
  const third = await open();
  third.socket.io.engine.transport.ws.terminate();
  assert.deepStrictEqual(await reasons(third), ['transport close', 'transport close']);
});

frameworkTest('a client reconnects, and its state is recovered', async (t) => {
  const io = await start(t, { connectionStateRecovery: {} });
  const { socket, peer } = await connect(t, io, {
    ...WEBSOCKET_ONLY,
    reconnection: true,
    reconnectionDelay: 1
  });
  peer.join('room');
  const first = once(socket, 'missed');
  io.to('room').emit('missed', 0); // recovery needs an event that was received
  await first;
  const { id } = socket;
  const log = record(socket);
  const gone = once(peer, 'disconnect');
  const connected = once(socket, 'connect');
  socket.io.engine.transport.ws.terminate();
  await gone;
  io.to('room').emit('missed', 1);
  await connected;
  assert.strictEqual(socket.recovered, true);
  assert.strictEqual(socket.id, id);
  const last = once(socket, 'last');
  io.to('room').emit('last', 2);
  await last;
  assert.deepStrictEqual(
    log.map(([event, n]) => [event, n]), // without the offsets that recovery adds
    [
      ['missed', 1],
      ['last', 2]
    ]
  );
});

frameworkTest('the option wsEngine', async (t) => {
  const engines = [];
  class Engine extends WebSocket.WebSocketServer {
    constructor(options) {
      super(options);
      engines.push(this);
    }
  }
  const io = await start(t, { wsEngine: Engine });
  const upgrade = once(engines.at(-1), 'headers');
  const { socket, peer } = await connect(t, io, WEBSOCKET_ONLY);
  assert.match((await upgrade)[0][0], /^HTTP\/1.1 101 /);
  assert(peer.conn.transport.socket instanceof WebSocket);
  peer.on('echo', (text, reply) => reply(text));
  assert.strictEqual(await socket.timeout(8000).emitWithAck('echo', 'hello'), 'hello');
});

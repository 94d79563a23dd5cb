'use strict';

// A WebSocketServer beside an http.Server of the application: `{ server }`.

const assert = require('node:assert');
const { WebSocketServer } = require('./support/impl');
const {
  closeHttpServer,
  connect,
  echo,
  listen,
  messages,
  once,
  serve,
  test,
  turn,
  until,
  within
} = require('./support/helpers');
const {
  EXTERNAL,
  HOST,
  SERVER,
  createHttpServer,
  httpUrlOf,
  request
} = require('./support/carriers');
const { OP, rawClient, rawConnect, upgradeRequest } = require('./support/raw-peer');

const EVENTS = ['listening', 'error', 'upgrade'];
const counts = (server) => EVENTS.map((name) => server.listenerCount(name));
const connections = (server) =>
  new Promise((resolve, reject) => {
    server.getConnections((err, count) => (err ? reject(err) : resolve(count)));
  });

/** Polls until the server counts `expected` connections. */
async function untilConnections(server, expected) {
  let count;
  const end = Date.now() + 8000;
  while ((count = await connections(server)) !== expected) {
    if (Date.now() > end) assert.strictEqual(count, expected, 'getConnections()');
    await turn();
  }
}

/** A WebSocketServer on a server that listen() has made. */
function attach(t, server, options, onConnection = echo) {
  const wss = new WebSocketServer({ server, ...options });
  wss.on('connection', (ws) => {
    server.testSockets.add(ws);
    onConnection(ws);
  });
  t.after(() => wss.close());
  return wss;
}

/** A plain request on a connection of its own. */
async function get(server, path) {
  const res = await new Promise((resolve, reject) => {
    const url = httpUrlOf(server.testPort) + path;
    request(url, { agent: false }, resolve).on('error', reject).end();
  });
  let body = '';
  for await (const chunk of res) body += chunk;
  return `${res.statusCode} ${body}`;
}

test("'listening' of the server is forwarded", { carriers: SERVER }, async (t) => {
  const server = createHttpServer();
  t.after(() => closeHttpServer(server));
  const wss = new WebSocketServer({ server });
  let called = 0;
  wss.on('listening', () => called++);
  server.listen(0, HOST);
  assert.strictEqual(called, 0);
  await once(wss, 'listening');
  assert.strictEqual(called, 1);
  assert.deepStrictEqual(wss.address(), server.address());
});

test("'error' of the server is forwarded", { carriers: SERVER }, async (t) => {
  const taken = await listen(t);
  const server = createHttpServer();
  const wss = new WebSocketServer({ server });
  server.listen(taken.testPort, HOST);
  const [err] = await once(wss, 'error');
  assert.strictEqual(err.code, 'EADDRINUSE');
  const own = new Error('own');
  const forwarded = once(wss, 'error');
  server.emit('error', own);
  assert.strictEqual((await forwarded)[0], own);
});

test('address(): that of the server; null before it listens', { carriers: SERVER }, async (t) => {
  const server = createHttpServer();
  t.after(() => closeHttpServer(server));
  const wss = new WebSocketServer({ server });
  assert.strictEqual(wss.address(), null);
  server.listen(0, HOST);
  await once(wss, 'listening');
  assert.deepStrictEqual(wss.address(), server.address());
  wss.close();
  assert.strictEqual(wss.address(), null);
});

test('address() with noServer throws, closed or not', { carriers: EXTERNAL }, () => {
  const wss = new WebSocketServer({ noServer: true });
  const expected = { name: 'Error', message: 'The server is operating in "noServer" mode' };
  assert.throws(() => wss.address(), expected);
  wss.close();
  assert.throws(() => wss.address(), expected);
});

test('a server that listens already may be given', { carriers: SERVER }, async (t) => {
  const server = await listen(t);
  const wss = attach(t, server);
  assert.deepStrictEqual(wss.address(), server.address());
  const raw = await rawClient(t, server.testPort);
  raw.send(OP.TEXT, 'late');
  assert.strictEqual(String((await raw.frame()).payload), 'late');
});

test('plain requests go on to be those of the application', { carriers: SERVER }, async (t) => {
  const server = await listen(t, (req, res) => res.end(`page ${req.url}`));
  attach(t, server);
  const raw = await rawClient(t, server.testPort);
  assert.strictEqual(await get(server, '/a'), '200 page /a');
  raw.send(OP.TEXT, 'beside it');
  assert.strictEqual(String((await raw.frame()).payload), 'beside it');
});

test(
  "the application's own 'upgrade' listener sees every request",
  { carriers: SERVER },
  async (t) => {
    const server = await listen(t);
    const seen = [];
    server.on('upgrade', (req, socket) => seen.push([req, socket]));
    const wss = attach(t, server);
    const connection = once(wss, 'connection');
    await rawClient(t, server.testPort, { path: '/seen' });
    const [ws, req] = await connection;
    assert.strictEqual(seen.length, 1);
    assert.strictEqual(seen[0][0], req);
    assert.strictEqual(seen[0][1], ws._socket);
  }
);

test(
  'each request goes through handleUpgrade(), which may be replaced',
  { carriers: SERVER },
  async (t) => {
    const server = await listen(t);
    const wss = attach(t, server);
    const urls = [];
    const { handleUpgrade } = wss;
    wss.handleUpgrade = function (req, ...rest) {
      urls.push(req.url);
      return handleUpgrade.call(this, req, ...rest);
    };
    await rawClient(t, server.testPort, { path: '/through' });
    assert.deepStrictEqual(urls, ['/through']);
  }
);

test('an open WebSocket is none of the timeouts of the server', { carriers: SERVER }, async (t) => {
  const server = await listen(t);
  Object.assign(server, { timeout: 40, keepAliveTimeout: 40, requestTimeout: 40 });
  attach(t, server);
  const raw = await rawClient(t, server.testPort);
  // one whose request never ends shows that the time is up
  const slow = await rawConnect(t, server.testPort);
  await slow.end();
  raw.send(OP.TEXT, 'still there');
  assert.strictEqual(String((await raw.frame()).payload), 'still there');
});

test(
  'close() leaves the server alone and takes its listeners away',
  { carriers: SERVER },
  async (t) => {
    const server = await listen(t, (req, res) => res.end('page'));
    const before = counts(server);
    const wss = attach(t, server);
    assert.deepStrictEqual(
      counts(server),
      before.map((count) => count + 1)
    );
    await within(new Promise((resolve) => wss.close(resolve)), 'close');
    assert.deepStrictEqual(counts(server), before);
    assert.strictEqual(server.listening, true);
    assert.strictEqual(await get(server, '/'), '200 page');
    // without a listener of 'upgrade' the request is a plain one
    const raw = await rawConnect(t, server.testPort);
    raw.write(upgradeRequest());
    assert.match(await raw.head(), /^HTTP\/1\.1 200 OK/);
  }
);

test(
  'after close() another WebSocketServer may take its place',
  { carriers: SERVER },
  async (t) => {
    const server = await listen(t);
    const first = attach(t, server, {}, (ws) => ws.send('first'));
    const old = await rawClient(t, server.testPort);
    assert.strictEqual(String((await old.frame()).payload), 'first');
    first.close();
    attach(t, server, {}, (ws) => ws.send('second'));
    const raw = await rawClient(t, server.testPort);
    assert.strictEqual(String((await raw.frame()).payload), 'second');
  }
);

test("close() without clients: 'close' on the next tick", { carriers: EXTERNAL }, async (t) => {
  const wss = await serve(t);
  const order = [];
  wss.on('close', (...args) => order.push('event', args.length));
  wss.close((...args) => order.push('callback', args.length));
  assert.deepStrictEqual(order, []);
  await new Promise((resolve) => process.nextTick(resolve));
  assert.deepStrictEqual(order, ['event', 0, 'callback', 0]);
});

test("close(): 'close' follows the last client", { carriers: EXTERNAL }, async (t) => {
  const wss = await serve(t, {}, echo);
  const clients = await Promise.all([1, 2, 3].map(() => connect(t, wss.testUrl)));
  await until(() => wss.clients.size === 3);
  let closed = false;
  const done = new Promise((resolve) =>
    wss.close(() => {
      closed = true;
      resolve();
    })
  );
  for (const client of clients) {
    assert.strictEqual(closed, false);
    const got = messages(client, 1);
    client.send('live');
    assert.strictEqual(String((await got)[0][0]), 'live');
    client.close();
    await once(client, 'close');
  }
  await within(done, 'close');
  assert.strictEqual(wss.clients.size, 0);
});

test('close() does not wait for untracked clients', { carriers: EXTERNAL }, async (t) => {
  const wss = await serve(t, { clientTracking: false }, echo);
  const client = await connect(t, wss.testUrl);
  await within(new Promise((resolve) => wss.close(resolve)), 'close');
  const got = messages(client, 1);
  client.send('live');
  assert.strictEqual(String((await got)[0][0]), 'live');
});

test(
  'getConnections() counts the WebSockets that live, and those only',
  { carriers: SERVER },
  async (t) => {
    const server = await listen(t);
    const wss = attach(t, server);
    const raws = [];
    for (let i = 1; i <= 3; i++) {
      raws.push(await rawClient(t, server.testPort));
      await untilConnections(server, i);
    }
    raws[0].send(OP.CLOSE, '');
    await raws[0].end();
    await untilConnections(server, 2);
    raws[1].reset();
    await untilConnections(server, 1);
    for (const ws of wss.clients) ws.terminate();
    await untilConnections(server, 0);
  }
);

test(
  'close() of the server waits for the WebSockets, which go on',
  { carriers: SERVER },
  async (t) => {
    const server = await listen(t);
    const wss = attach(t, server);
    const raws = [await rawClient(t, server.testPort), await rawClient(t, server.testPort)];
    let closed = false;
    const done = new Promise((resolve) =>
      server.close(() => {
        closed = true;
        resolve();
      })
    );
    server.closeAllConnections();
    for (const raw of raws) {
      raw.send(OP.TEXT, 'live');
      assert.strictEqual(String((await raw.frame()).payload), 'live');
    }
    raws[0].send(OP.CLOSE, '');
    await raws[0].end();
    await until(() => wss.clients.size === 1);
    await turn();
    assert.strictEqual(closed, false);
    raws[1].destroy();
    await within(done, 'the server to close');
  }
);

test('the count falls when a client sends FIN only', { carriers: SERVER }, async (t) => {
  const server = await listen(t);
  const wss = attach(t, server);
  const raw = await rawClient(t, server.testPort);
  const [ws] = wss.clients;
  const closed = once(ws, 'close');
  raw.socket.end();
  assert.strictEqual((await closed)[0], 1006);
  await untilConnections(server, 0);
});

'use strict';

const assert = require('node:assert');
const net = require('node:net');
const WebSocket = require('./support/impl');
const {
  HOST,
  connect,
  dial,
  discard,
  echo,
  messages,
  once,
  pair,
  serve,
  test,
  turn,
  until,
  within
} = require('./support/helpers');
const {
  PORT,
  createAgent,
  createClient,
  httpUrlOf,
  request,
  urlOf
} = require('./support/carriers');
const { rawConnect } = require('./support/raw-peer');

const { WebSocketServer } = WebSocket;
const closing = (wss) => within(new Promise((resolve) => wss.close(resolve)), 'close(cb)');

function hasIPv6() {
  return new Promise((resolve) => {
    const probe = net.createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port: 0, host: '::' }, () => probe.close(() => resolve(true)));
  });
}

test(
  "'listening' is emitted asynchronously and once; address() has the bound port",
  { carriers: PORT },
  async (t) => {
    const wss = new WebSocketServer({ port: 0, host: HOST });
    t.after(() => wss.close());
    let count = 0;
    wss.on('listening', () => count++);
    assert.strictEqual(count, 0);
    await once(wss, 'listening');
    const address = wss.address();
    assert.deepStrictEqual(Object.keys(address).sort(), ['address', 'family', 'port']);
    assert.strictEqual(address.address, HOST);
    assert.strictEqual(address.family, 'IPv4');
    assert.ok(address.port > 0);
    await turn();
    assert.strictEqual(count, 1);
  }
);

test('without a host, address() is there in the same tick', { carriers: PORT }, async (t) => {
  const wss = new WebSocketServer({ port: 0 });
  t.after(() => wss.close());
  const { port } = wss.address();
  assert.ok(port > 0);
  await once(wss, 'listening');
  assert.strictEqual(wss.address().port, port);
});

test('without a host, both IPv6 and IPv4 are served', { carriers: PORT }, async (t) => {
  if (!(await hasIPv6())) return t.skip('no IPv6');
  const wss = await serve(t, { host: undefined }, echo);
  const { address, family, port } = wss.address();
  assert.deepStrictEqual([address, family], ['::', 'IPv6']);
  const connection = once(wss, 'connection');
  await connect(t, urlOf(port));
  const [, req] = await connection;
  assert.strictEqual(req.socket.remoteAddress, '::ffff:127.0.0.1');
  const client = await connect(t, urlOf(port, '[::1]'));
  client.send('six');
  assert.strictEqual(String((await messages(client, 1))[0][0]), 'six');
});

test('host may be a name', { carriers: PORT }, async (t) => {
  const wss = await serve(t, { host: 'localhost' }, echo);
  const { address, port } = wss.address();
  await connect(t, urlOf(port, address.includes(':') ? `[${address}]` : address));
});

test('EADDRINUSE arrives as an error event, not as an exception', { carriers: PORT }, async (t) => {
  const taken = await serve(t);
  const { port } = taken.address();
  const wss = new WebSocketServer({ port, host: HOST });
  const [err] = await once(wss, 'error');
  assert.strictEqual(err.code, 'EADDRINUSE');
  assert.strictEqual(err.syscall, 'listen');
  assert.strictEqual(err.address, HOST);
  assert.strictEqual(err.port, port);
  assert.strictEqual(err.message, `listen EADDRINUSE: address already in use ${HOST}:${port}`);
  assert.ok(err.errno < 0);
  await closing(wss);
});

test('the port is free again after close(cb)', { carriers: PORT }, async (t) => {
  const wss = await serve(t);
  const { port } = wss.address();
  await closing(wss);
  await serve(t, { port });
});

test(
  "close(cb): 'close' and cb without arguments; address() is null afterwards",
  { carriers: PORT },
  async (t) => {
    const wss = await serve(t);
    const args = [];
    wss.on('close', (...list) => args.push(['event', ...list]));
    await new Promise((resolve) => {
      wss.close((...list) => {
        args.push(['cb', ...list]);
        resolve();
      });
      assert.strictEqual(wss.address(), null);
      assert.deepStrictEqual(args, []);
    });
    assert.deepStrictEqual(args, [['event'], ['cb']]);
    assert.strictEqual(wss.address(), null);
  }
);

test('close() twice while closing: both callbacks, without an error', async (t) => {
  const { wss, client } = await pair(t);
  const args = [];
  let events = 0;
  wss.on('close', () => events++);
  wss.close((err) => args.push(err));
  wss.close((err) => args.push(err));
  client.close();
  await until(() => args.length === 2);
  assert.deepStrictEqual(args, [undefined, undefined]);
  assert.strictEqual(events, 1);
});

test('close(cb) when already closed: cb(Error), asynchronously', async (t) => {
  const wss = await serve(t);
  await closing(wss);
  let sync = true;
  const err = await within(
    new Promise((resolve) => {
      wss.close((error) => {
        assert.strictEqual(sync, false);
        resolve(error);
      });
      sync = false;
    }),
    'cb'
  );
  assert.strictEqual(err.constructor, Error);
  assert.strictEqual(err.message, 'The server is not running');
});

test("close() without a callback when already closed emits 'close' again", async (t) => {
  const wss = await serve(t);
  await closing(wss);
  const again = once(wss, 'close');
  wss.close();
  await again;
});

test('close() in the tick of the constructor', { carriers: PORT }, async (t) => {
  const wss = new WebSocketServer({ port: 0 });
  t.after(() => wss.close());
  wss.on('listening', () => assert.fail('not expected'));
  await closing(wss);
  await turn();
});

test('close() never closes the clients; it waits for the last of them', async (t) => {
  const { wss, client, peer } = await pair(t);
  echo(peer);
  let closed = false;
  const done = new Promise((resolve) =>
    wss.close(() => {
      closed = true;
      resolve();
    })
  );
  for (let i = 0; i < 3; i++) {
    const got = messages(client, 1);
    client.send('live');
    assert.strictEqual(String((await got)[0][0]), 'live');
  }
  assert.strictEqual(closed, false);
  assert.strictEqual(client.readyState, WebSocket.OPEN);
  assert.strictEqual(wss.clients.size, 1);
  client.close();
  await within(done, 'close');
  await until(() => wss.clients.size === 0);
});

test('close() waits for untracked clients too', { carriers: PORT }, async (t) => {
  const { wss, client } = await pair(t, { clientTracking: false });
  let closed = false;
  const done = new Promise((resolve) =>
    wss.close(() => {
      closed = true;
      resolve();
    })
  );
  for (let i = 0; i < 5; i++) await turn();
  assert.strictEqual(closed, false);
  client.close();
  await within(done, 'close');
});

test('new connections are refused once close() was called', { carriers: PORT }, async (t) => {
  const { wss, client } = await pair(t);
  const url = wss.testUrl;
  wss.close();
  const late = dial(t, url);
  const [err] = await once(late, 'error');
  assert.strictEqual(err.code, 'ECONNREFUSED');
  client.close();
  await once(wss, 'close');
});

test('an idle plain HTTP connection does not hold up close()', { carriers: PORT }, async (t) => {
  const wss = await serve(t);
  const agent = createAgent({ keepAlive: true });
  t.after(() => agent.destroy());
  const res = await new Promise((resolve, reject) => {
    request(httpUrlOf(wss.testPort), { agent }, resolve).on('error', reject).end();
  });
  res.resume();
  await once(res, 'end');
  await closing(wss);
});

test("terminated clients: 'close' of the server follows", async (t) => {
  const wss = await serve(t, {}, (ws) => ws.on('error', () => {}));
  const list = await Promise.all(Array.from({ length: 20 }, () => connect(t, wss.testUrl)));
  await until(() => wss.clients.size === 20);
  const closed = closing(wss);
  for (const ws of wss.clients) ws.terminate();
  await closed;
  await until(() => wss.clients.size === 0);
  await until(() => list.every((ws) => ws.readyState === WebSocket.CLOSED));
});

test("clients: a Set; there at 'connection', gone at 'close'", async (t) => {
  const wss = await serve(t);
  assert.ok(wss.clients instanceof Set);
  const seen = [];
  wss.on('connection', (ws) => {
    seen.push(wss.clients.has(ws));
    ws.on('close', () => seen.push(wss.clients.has(ws)));
  });
  const client = await connect(t, wss.testUrl);
  client.close();
  await until(() => seen.length === 2);
  assert.deepStrictEqual(seen, [true, false]);
});

test('clients: broadcasting to all', async (t) => {
  const wss = await serve(t);
  const clients = await Promise.all(Array.from({ length: 10 }, () => connect(t, wss.testUrl)));
  await until(() => wss.clients.size === 10);
  const got = Promise.all(clients.map((client) => messages(client, 1)));
  for (const ws of wss.clients) ws.send('all');
  for (const list of await got) assert.strictEqual(String(list[0][0]), 'all');
});

test('200 connections at once, each its own conversation', async (t) => {
  const wss = await serve(t, {}, echo);
  await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      const client = await connect(t, wss.testUrl);
      const got = messages(client, 3);
      for (let k = 0; k < 3; k++) client.send(`${i}:${k}`);
      assert.deepStrictEqual(
        (await got).map(([data]) => String(data)),
        [`${i}:0`, `${i}:1`, `${i}:2`]
      );
      client.close();
      await once(client, 'close');
    })
  );
  await until(() => wss.clients.size === 0);
});

test('connect and close many times leaves no client behind', async (t) => {
  const wss = await serve(t);
  for (let i = 0; i < 200; i++) {
    const client = createClient(wss.testUrl);
    await once(client, 'open');
    if (i % 2) client.close();
    else client.terminate();
    await once(client, 'close');
  }
  await until(() => wss.clients.size === 0);
});

test('several servers in one process, with clients of each other', async (t) => {
  const servers = await Promise.all([serve(t, {}, echo), serve(t, {}, echo), serve(t, {}, echo)]);
  assert.strictEqual(new Set(servers.map((wss) => wss.testPort)).size, 3);
  for (const [i, wss] of servers.entries()) {
    const client = await connect(t, wss.testUrl);
    client.send(`server ${i}`);
    assert.strictEqual(String((await messages(client, 1))[0][0]), `server ${i}`);
    client.close();
    await once(client, 'close');
    await closing(wss);
  }
});

test('a server is an EventEmitter and does not emit error by itself', async (t) => {
  const wss = await serve(t);
  assert.ok(wss instanceof require('node:events').EventEmitter);
  const raw = await rawConnect(t, wss.testPort);
  raw.reset();
  const client = await connect(t, wss.testUrl);
  discard(client);
});

'use strict';

const assert = require('node:assert');
const WebSocket = require('./support/impl');
const {
  delay,
  dial,
  isWs,
  messages,
  once,
  pair,
  serve,
  test,
  turn,
  until,
  within
} = require('./support/helpers');
const { carrier } = require('./support/carriers');
const { OP, rawAcceptor, rawClient } = require('./support/raw-peer');

/** Whether Node makes one write of all that is queued, so that all of it is in progress. */
const BATCHED = carrier === 'stream' || carrier === 'tls';

/** A server connection whose raw peer does not read, with so much sent that it cannot all leave. */
async function stuck(t, { chunk = 1 << 20, count = 16 } = {}) {
  const wss = await serve(t);
  const connection = once(wss, 'connection');
  const raw = await rawClient(t, wss.testPort);
  const [ws] = await connection;
  raw.socket.pause();
  const done = [];
  for (let i = 0; i < count; i++) ws.send(Buffer.alloc(chunk), (err) => done.push([i, err]));
  // What the kernel takes, it takes; the rest stays.
  let last = -1;
  while (ws.bufferedAmount !== last) {
    last = ws.bufferedAmount;
    await delay(60);
  }
  return { ws, raw, done, chunk, count };
}

test('send callbacks: in the order of the calls, without an error, asynchronously', async (t) => {
  const { client, peer } = await pair(t);
  const order = [];
  let sync = true;
  const got = messages(peer, 20);
  const all = new Promise((resolve) => {
    for (let i = 0; i < 20; i++) {
      const data = i % 4 === 3 ? Buffer.alloc(100000) : `message ${i}`;
      const cb = (...args) => {
        assert.strictEqual(sync, false);
        assert.ok(args[0] === undefined || args[0] === null);
        order.push(i);
        if (order.length === 20) resolve();
      };
      if (i % 2) client.send(data, cb);
      else client.send(data, {}, cb);
    }
  });
  sync = false;
  await within(all, 'the callbacks');
  assert.deepStrictEqual(
    order,
    Array.from({ length: 20 }, (_, i) => i)
  );
  await got;
});

test('send callbacks: empty messages, fragments, Blobs, pings', async (t) => {
  const { client } = await pair(t);
  const call = (method, ...args) =>
    within(
      new Promise((resolve, reject) =>
        client[method](...args, (err) => (err ? reject(err) : resolve()))
      ),
      `${method} callback`
    );
  await call('send', '');
  await call('send', Buffer.alloc(0));
  await call('send', undefined);
  await call('send', 'a', { fin: false });
  await call('send', 'b', { fin: true });
  await call('send', new Blob(['blob']));
  await call('ping', 'p', true);
  await call('pong', 'p', true);
});

for (const state of ['CLOSING', 'CLOSED']) {
  const code = WebSocket[state];

  test(`while ${state} send, ping, pong never throw; cb(err) comes on the next tick`, async (t) => {
    const { client } = await pair(t);
    const closed = once(client, 'close');
    client.close();
    if (state === 'CLOSED') await closed;
    assert.strictEqual(client.readyState, code);
    const errors = [];
    let sync = true;
    const cb = (err) => {
      assert.strictEqual(sync, false);
      errors.push(err);
    };
    client.send('x', cb);
    client.send('x', {}, cb);
    client.ping('x', true, cb);
    client.pong('x', true, cb);
    client.send('without callback');
    client.ping();
    client.pong();
    sync = false;
    await new Promise((resolve) => process.nextTick(resolve));
    assert.strictEqual(errors.length, 4, 'on the next tick');
    for (const err of errors) {
      assert.strictEqual(err.constructor, Error);
      assert.strictEqual(err.message, `WebSocket is not open: readyState ${code} (${state})`);
    }
  });

  test(`while ${state} the bytes are added to bufferedAmount`, async (t) => {
    const { client } = await pair(t);
    const closed = once(client, 'close');
    client.close();
    await closed;
    const before = client.bufferedAmount;
    client.send('four');
    assert.strictEqual(client.bufferedAmount, before + 4);
    client.send('é');
    client.send(Buffer.alloc(10));
    client.send(123);
    client.send(new Blob(['12345']));
    client.ping('pi');
    client.pong(new Uint16Array(1));
    client.send('');
    client.send(undefined);
    assert.strictEqual(client.bufferedAmount, before + 4 + 2 + 10 + 3 + 5 + 2 + 2);
  });
}

test('while CLOSING a control payload over 125 bytes is no error', async (t) => {
  const { client } = await pair(t);
  client.close();
  const before = client.bufferedAmount;
  client.ping('x'.repeat(126));
  client.pong('x'.repeat(126));
  assert.strictEqual(client.bufferedAmount, before + 252);
});

test('after a failed handshake: CLOSED, bytes counted, cb(err)', async (t) => {
  const wss = await serve(t, { verifyClient: () => false });
  const client = dial(t, wss.testUrl);
  client.on('error', () => {});
  await once(client, 'close');
  assert.strictEqual(client.bufferedAmount, 0);
  const error = new Promise((resolve) => client.send('hello', resolve));
  assert.strictEqual(client.bufferedAmount, 5);
  assert.strictEqual((await error).message, 'WebSocket is not open: readyState 3 (CLOSED)');
});

test('bufferedAmount: 0 before open, and again when all has been sent', async (t) => {
  const { client, peer } = await pair(t);
  assert.strictEqual(client.bufferedAmount, 0);
  const got = messages(peer, 1);
  client.send(Buffer.alloc(4 << 20));
  await got;
  await until(() => client.bufferedAmount === 0);
});

test('bufferedAmount: counts every byte of the frames while the peer does not read', async (t) => {
  const { ws, raw, done } = await stuck(t);
  const before = ws.bufferedAmount;
  assert.ok(before > 0);
  const called = done.length;
  ws.send('x'.repeat(10));
  assert.strictEqual(ws.bufferedAmount, before + 12);
  ws.send(Buffer.alloc(126));
  assert.strictEqual(ws.bufferedAmount, before + 12 + 130);
  ws.send(Buffer.alloc(65536));
  assert.strictEqual(ws.bufferedAmount, before + 12 + 130 + 65546);
  ws.ping('ping');
  assert.strictEqual(ws.bufferedAmount, before + 12 + 130 + 65546 + 6);
  ws.send('m', { mask: true });
  assert.strictEqual(ws.bufferedAmount, before + 12 + 130 + 65546 + 6 + 7);
  ws.send('');
  assert.strictEqual(ws.bufferedAmount, before + 12 + 130 + 65546 + 6 + 7 + 2);
  assert.strictEqual(done.length, called, 'no callback before the bytes have left');
  raw.socket.resume();
  await until(() => ws.bufferedAmount === 0);
  await until(() => done.length === 16);
  assert.deepStrictEqual(
    done.map(([i, err]) => [i, !err]),
    Array.from({ length: 16 }, (_, i) => [i, true])
  );
});

test('bufferedAmount: a masked client frame has four bytes more', async (t) => {
  const server = await rawAcceptor(t);
  const client = dial(t, server.url);
  const [raw] = await Promise.all([server.next(), once(client, 'open')]);
  raw.socket.pause();
  for (let i = 0; i < 16; i++) client.send(Buffer.alloc(1 << 20));
  let last = -1;
  while (client.bufferedAmount !== last) {
    last = client.bufferedAmount;
    await delay(60);
  }
  client.send('x'.repeat(10));
  assert.strictEqual(client.bufferedAmount, last + 16);
});

test('a slow reader gets everything, in order', async (t) => {
  const { ws, raw, chunk, count } = await stuck(t);
  ws.send('the end');
  raw.socket.resume();
  for (let i = 0; i < count; i++) assert.strictEqual((await raw.frame()).payload.length, chunk);
  const { opcode, payload } = await raw.frame();
  assert.deepStrictEqual([opcode, String(payload)], [OP.TEXT, 'the end']);
});

// terminate(): Node 20 says ERR_STREAM_DESTROYED, later versions ECANCELED.
for (const [how, codes] of [
  ['the socket is reset', ['ECONNRESET']],
  ['terminate() is called', ['ERR_STREAM_DESTROYED', 'ECANCELED']]
]) {
  test(`pending callbacks get an error when ${how}: all of them, in order, before 'close'`, async (t) => {
    const { ws, raw, done, count } = await stuck(t);
    const before = done.length;
    assert.ok(before < count);
    const calledAtClose = new Promise((resolve) => ws.on('close', () => resolve(done.length)));
    if (codes[0] === 'ECONNRESET') raw.reset();
    else ws.terminate();
    assert.strictEqual(await within(calledAtClose, "'close'"), count);
    assert.strictEqual(ws.bufferedAmount, 0);
    done.forEach(([i, err], at) => {
      assert.strictEqual(i, at);
      if (i < before) assert.ok(!err);
      // The write in progress may count as done: Node calls back without an error for it.
      else if (i > before && !BATCHED) assert.ok(err instanceof Error && err.code, `callback ${i}`);
    });
    if (!BATCHED) assert.ok(codes.includes(done.at(-1)[1].code), done.at(-1)[1].code);
  });
}

for (const size of [10, 1 << 20]) {
  test(`messages of ${size} bytes, sent in 'open' to a peer that is gone: all are called back`, async (t) => {
    const wss = await serve(t, {}, (ws) => ws.terminate());
    const client = dial(t, wss.testUrl);
    const COUNT = 20;
    let called = 0;
    client.on('open', () => {
      for (let i = 0; i < COUNT; i++) client.send(Buffer.alloc(size), () => called++);
    });
    const closed = new Promise((resolve) => client.on('close', () => resolve(called)));
    assert.strictEqual(await within(closed, "'close'"), COUNT);
  });
}

test('close() waits for what is buffered, then the close frame goes out', async (t) => {
  const { ws, raw, count } = await stuck(t);
  ws.close(1000);
  raw.socket.resume();
  for (let i = 0; i < count; i++) assert.strictEqual((await raw.frame()).opcode, OP.BINARY);
  assert.strictEqual(await raw.closeFrame(), 1000);
  assert.strictEqual(isWs || ws.readyState === WebSocket.CLOSING, true);
});

test('a callback that throws is an uncaught exception and the next is still called', async (t) => {
  const { client } = await pair(t);
  const previous = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  t.after(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of previous) process.on('uncaughtException', listener);
  });
  const uncaught = new Promise((resolve) => process.once('uncaughtException', resolve));
  const next = new Promise((resolve) => {
    client.send('a', () => {
      throw new Error('from a callback');
    });
    client.send('b', resolve);
  });
  assert.strictEqual((await within(uncaught, 'the exception')).message, 'from a callback');
  await within(next, 'the next callback');
  await turn();
});

'use strict';

const assert = require('node:assert');
const {
  delay,
  dial,
  messages,
  once,
  pair,
  record,
  serve,
  test,
  until,
  within
} = require('./support/helpers');
const { OP, closePayload } = require('./support/raw-peer');
const { serverAndWire } = require('./support/wire');

test('pause() and resume(): isPaused; both are idempotent', async (t) => {
  const { client } = await pair(t);
  assert.strictEqual(client.isPaused, false);
  client.pause();
  client.pause();
  assert.strictEqual(client.isPaused, true);
  client.resume();
  client.resume();
  assert.strictEqual(client.isPaused, false);
});

test('nothing while CONNECTING or CLOSED', async (t) => {
  const wss = await serve(t);
  const client = dial(t, wss.testUrl);
  client.pause();
  assert.strictEqual(client.isPaused, false);
  client.resume();
  await once(client, 'open');
  client.close();
  await once(client, 'close');
  client.pause();
  assert.strictEqual(client.isPaused, false);
  client.resume();
});

test('a paused socket emits nothing; resume() delivers all, in order', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const log = record(ws, ['message', 'ping', 'pong', 'close']);
  ws.pause();
  for (let i = 0; i < 100; i++) raw.send(OP.TEXT, String(i));
  raw.send(OP.PING, 'p');
  await delay(50);
  assert.deepStrictEqual(log, []);
  ws.resume();
  await until(() => log.length === 101);
  log
    .slice(0, 100)
    .forEach(([name, data], i) =>
      assert.deepStrictEqual([name, String(data)], ['message', String(i)])
    );
  assert.deepStrictEqual(log[100], ['ping', Buffer.from('p')]);
});

test('sending works while paused', async (t) => {
  const { client, peer } = await pair(t);
  client.pause();
  const got = messages(peer, 2);
  client.send('a');
  client.send(Buffer.alloc(100000));
  assert.strictEqual(String((await got)[0][0]), 'a');
});

test('the close frame of the peer waits for resume()', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const log = record(ws, ['message', 'close']);
  ws.pause();
  raw.send(OP.TEXT, 'before');
  raw.send(OP.CLOSE, closePayload(1000));
  await delay(50);
  assert.deepStrictEqual(log, []);
  ws.resume();
  await until(() => log.length === 2);
  assert.deepStrictEqual(log, [
    ['message', Buffer.from('before'), false],
    ['close', 1000, Buffer.alloc(0)]
  ]);
});

test('close() while paused: the handshake ends after resume()', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const log = record(ws, ['close']);
  ws.pause();
  ws.close(1001);
  assert.strictEqual(await raw.closeFrame(), 1001);
  raw.send(OP.CLOSE, closePayload(1001));
  await delay(50);
  assert.deepStrictEqual(log, []);
  ws.resume();
  await until(() => log.length === 1);
  assert.deepStrictEqual(log, [['close', 1001, Buffer.alloc(0)]]);
});

test("terminate() while paused: 'close' 1006", async (t) => {
  const { client, peer } = await pair(t);
  client.pause();
  peer.send('unread');
  const closed = once(client, 'close');
  client.terminate();
  assert.strictEqual((await closed)[0], 1006);
});

test('pause() inside a message listener; all comes in the end', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  let count = 0;
  let next = 0;
  const done = new Promise((resolve) => {
    ws.on('message', (data) => {
      assert.strictEqual(data.readUInt32BE(0), next++);
      if (++count === 500) resolve();
      if (count % 50 === 0) {
        ws.pause();
        setTimeout(() => ws.resume(), 1);
      }
    });
  });
  for (let i = 0; i < 500; i++) {
    const payload = Buffer.alloc(4 + (i % 7) * 100);
    payload.writeUInt32BE(i, 0);
    raw.send(OP.BINARY, payload);
  }
  await done;
});

test('pause() and resume() in one tick, many times', async (t) => {
  const { client, peer } = await pair(t);
  const got = messages(client, 1000);
  for (let i = 0; i < 1000; i++) {
    client.pause();
    peer.send(String(i));
    client.resume();
  }
  (await got).forEach(([data], i) => assert.strictEqual(String(data), String(i)));
});

test('a paused socket pushes back: the peer cannot send without end', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  let received = 0;
  ws.on('message', (data) => {
    received += data.length;
  });
  ws.pause();
  const frame = raw.build(OP.BINARY, Buffer.alloc(1 << 20));
  const total = 32;
  for (let i = 0; i < total; i++) raw.write(frame);
  let last = -1;
  while (raw.socket.writableLength !== last) {
    last = raw.socket.writableLength;
    await delay(60);
  }
  assert.ok(last > 8 << 20, 'bytes stay with the sender');
  assert.strictEqual(received, 0);
  ws.resume();
  await until(() => received === total << 20);
});

for (const [title, leave] of [
  ['resets', (raw) => raw.reset()],
  ['terminates', (raw) => raw.destroy()]
]) {
  test(`paused, with messages unsent, and the peer ${title}: callbacks, then 'close' 1006`, async (t) => {
    const { ws, raw } = await serverAndWire(t);
    raw.socket.pause();
    ws.pause();
    const COUNT = 32;
    let called = 0;
    for (let i = 0; i < COUNT; i++) ws.send(Buffer.alloc(1 << 20), () => called++);
    await until(() => ws.bufferedAmount > 0);
    const closed = new Promise((resolve) => ws.on('close', (code) => resolve([code, called])));
    leave(raw);
    assert.deepStrictEqual(await within(closed, "'close'"), [1006, COUNT]);
  });
}

test('both ends paused, with messages unsent, and one terminates', async (t) => {
  const { client, peer } = await pair(t);
  peer.pause();
  client.pause();
  const COUNT = 32;
  let called = 0;
  for (let i = 0; i < COUNT; i++) client.send(Buffer.alloc(1 << 20), () => called++);
  let last = -1;
  while (client.bufferedAmount !== last) {
    last = client.bufferedAmount;
    await delay(60);
  }
  assert.ok(called < COUNT);
  const closed = new Promise((resolve) => client.on('close', (code) => resolve([code, called])));
  peer.terminate();
  assert.deepStrictEqual(await within(closed, "'close'"), [1006, COUNT]);
});

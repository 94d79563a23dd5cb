'use strict';

const assert = require('node:assert');
const { dial, once, record, test, until } = require('./support/helpers');
const { OP, buildFrame, closePayload, rawAcceptor } = require('./support/raw-peer');
const { serverAndWire } = require('./support/wire');
const { compressedFrame, deflateWire } = require('./support/deflate');

/** Each event in a turn of its own. */
const deferred = (t, options) => serverAndWire(t, { allowSynchronousEvents: false, ...options });

const mixed = (raw) =>
  Buffer.concat([
    raw.build(OP.TEXT, 'one'),
    raw.build(OP.PING, 'two'),
    raw.build(OP.PONG, 'three'),
    raw.build(OP.BINARY, 'four'),
    raw.build(OP.TEXT, 'five')
  ]);

/** The number of the event loop turn, as seen by setImmediate. */
function turnCounter(t) {
  let count = 0;
  let running = true;
  const next = () => {
    count++;
    if (running) setImmediate(next);
  };
  setImmediate(next);
  t.after(() => {
    running = false;
  });
  return () => count;
}

test('allowSynchronousEvents: false gives each event a turn of its own, in order', async (t) => {
  const { ws, raw } = await deferred(t);
  const turnNumber = turnCounter(t);
  const seen = [];
  for (const name of ['message', 'ping', 'pong']) {
    ws.on(name, (data) => seen.push([name, String(data), turnNumber()]));
  }
  raw.write(mixed(raw));
  await until(() => seen.length === 5);
  assert.deepStrictEqual(
    seen.map(([name, data]) => [name, data]),
    [
      ['message', 'one'],
      ['ping', 'two'],
      ['pong', 'three'],
      ['message', 'four'],
      ['message', 'five']
    ]
  );
  assert.strictEqual(new Set(seen.map(([, , number]) => number)).size, 5);
});

test('a compressed binary message has a turn of its own', async (t) => {
  const { ws, raw } = await deflateWire(t, 'server', { allowSynchronousEvents: false });
  const turnNumber = turnCounter(t);
  const seen = [];
  for (const name of ['message', 'ping']) {
    ws.on(name, (data) => seen.push([name, String(data), turnNumber()]));
  }
  raw.write(
    Buffer.concat([
      raw.build(OP.TEXT, 'plain'),
      compressedFrame(raw, OP.BINARY, 'one'),
      raw.build(OP.PING, 'between'),
      compressedFrame(raw, OP.BINARY, 'two'),
      raw.build(OP.BINARY, 'last')
    ])
  );
  await until(() => seen.length === 5);
  assert.deepStrictEqual(
    seen.map(([name, data]) => [name, data]),
    [
      ['message', 'plain'],
      ['message', 'one'],
      ['ping', 'between'],
      ['message', 'two'],
      ['message', 'last']
    ]
  );
  assert.strictEqual(new Set(seen.map(([, , number]) => number)).size, 5);
});

test('microtasks and ticks of one event run before the next', async (t) => {
  const server = await rawAcceptor(t);
  const client = dial(t, server.url, { allowSynchronousEvents: false });
  const [raw] = await Promise.all([server.next(), once(client, 'open')]);
  const order = [];
  client.on('message', (data) => {
    order.push(`message ${data}`);
    Promise.resolve().then(() => order.push(`microtask ${data}`));
    process.nextTick(() => order.push(`tick ${data}`));
  });
  raw.write(Buffer.concat([raw.build(OP.TEXT, 'a'), raw.build(OP.TEXT, 'b')]));
  await until(() => order.length === 6);
  assert.deepStrictEqual(order.slice(0, 3).sort(), ['message a', 'microtask a', 'tick a']);
  assert.deepStrictEqual(order.slice(3).sort(), ['message b', 'microtask b', 'tick b']);
});

test('a listener that is added in a promise of the first event sees the second', async (t) => {
  const { ws, raw } = await deferred(t);
  const late = [];
  ws.once('message', async () => {
    await null;
    ws.on('message', (data) => late.push(String(data)));
  });
  raw.write(Buffer.concat([raw.build(OP.TEXT, 'a'), raw.build(OP.TEXT, 'b')]));
  await until(() => late.length === 1);
  assert.deepStrictEqual(late, ['b']);
});

test("'close' and errors come after the deferred events", async (t) => {
  const good = await deferred(t);
  const log = record(good.ws, ['message', 'ping', 'pong', 'error', 'close']);
  good.raw.write(Buffer.concat([mixed(good.raw), good.raw.build(OP.CLOSE, closePayload(1000))]));
  await until(() => log.at(-1)?.[0] === 'close');
  assert.strictEqual(log.length, 6);
  assert.strictEqual(log[5][1], 1000);

  const bad = await deferred(t);
  const errors = record(bad.ws, ['message', 'ping', 'pong', 'error', 'close']);
  bad.raw.write(Buffer.concat([mixed(bad.raw), buildFrame({ opcode: 3, mask: true })]));
  await until(() => errors.at(-1)?.[0] === 'close');
  assert.deepStrictEqual(
    errors.map(([name]) => name),
    ['message', 'ping', 'pong', 'message', 'message', 'error', 'close']
  );
});

test('a FIN after many messages loses none of them', async (t) => {
  const { ws, raw } = await deferred(t);
  const log = record(ws, ['message', 'close']);
  raw.write(Buffer.concat(Array.from({ length: 50 }, (_, i) => raw.build(OP.TEXT, String(i)))));
  raw.socket.end();
  await until(() => log.at(-1)?.[0] === 'close');
  assert.strictEqual(log.length, 51);
  log.slice(0, 50).forEach(([, data], i) => assert.strictEqual(String(data), String(i)));
  assert.strictEqual(log[50][1], 1006);
});

test('the pong goes out in the order of the deferred events', async (t) => {
  const { ws, raw } = await deferred(t);
  ws.on('message', (data) => ws.send(`re: ${data}`));
  raw.write(mixed(raw));
  const seen = [];
  for (let i = 0; i < 4; i++) seen.push(String((await raw.frame()).payload));
  assert.deepStrictEqual(seen, ['re: one', 'two', 're: four', 're: five']);
});

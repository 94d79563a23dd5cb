'use strict';

// binaryType 'fragments': an array with the payload of each frame that is not empty.

const assert = require('node:assert');
const { randomBytes } = require('node:crypto');
const { dial, messages, once, serve, test, turn } = require('./support/helpers');
const { OP, rawAcceptor, rawClient } = require('./support/raw-peer');

/** A WebSocket of either side whose peer is raw. */
async function wire(t, side) {
  if (side === 'server') {
    const wss = await serve(t);
    const connection = once(wss, 'connection');
    const raw = await rawClient(t, wss.testPort);
    const [ws] = await connection;
    return { ws, raw };
  }
  const server = await rawAcceptor(t);
  const ws = dial(t, server.url, { perMessageDeflate: false });
  const [raw] = await Promise.all([server.next(), once(ws, 'open')]);
  return { ws, raw };
}

/** The frames of one message. */
function fragments(raw, payloads, opcode = OP.BINARY) {
  return payloads.map((payload, i) =>
    raw.build(i ? OP.CONT : opcode, payload, { fin: i === payloads.length - 1 })
  );
}

for (const side of ['server', 'client']) {
  test(`${side}: as many Buffers as frames, each with its own bytes`, async (t) => {
    const { ws, raw } = await wire(t, side);
    ws.binaryType = 'fragments';
    const payloads = [1, 70000, 3, 125, 126, 40000, 16384].map((size) => randomBytes(size));
    const got = messages(ws, 1);
    raw.write(Buffer.concat(fragments(raw, payloads)));
    const [[data, isBinary]] = await got;
    assert.strictEqual(isBinary, true);
    assert.deepStrictEqual(
      data.map((fragment) => fragment.length),
      payloads.map((payload) => payload.length)
    );
    data.forEach((fragment, i) => {
      assert.ok(Buffer.isBuffer(fragment));
      assert.ok(fragment.equals(payloads[i]), `fragment ${i}`);
    });
  });
}

test('the pieces in which the bytes arrive are no fragments', async (t) => {
  const { ws, raw } = await wire(t, 'server');
  ws.binaryType = 'fragments';
  const payloads = [randomBytes(30), randomBytes(300)];
  const bytes = Buffer.concat(fragments(raw, payloads));
  const got = messages(ws, 1);
  for (let at = 0; at < bytes.length; at += 7) {
    raw.write(bytes.subarray(at, at + 7));
    await turn();
  }
  assert.deepStrictEqual((await got)[0][0], payloads);
});

test('a message in one frame is one fragment, whatever its size', async (t) => {
  const { ws, raw } = await wire(t, 'server');
  ws.binaryType = 'fragments';
  for (const size of [1, 1000, 70000, 1 << 20]) {
    const payload = randomBytes(size);
    const got = messages(ws, 1);
    raw.send(OP.BINARY, payload);
    const [[data]] = await got;
    assert.strictEqual(data.length, 1);
    assert.ok(data[0].equals(payload));
  }
});

test('empty frames leave no trace; a message of nothing else is an empty array', async (t) => {
  const { ws, raw } = await wire(t, 'server');
  ws.binaryType = 'fragments';
  const got = messages(ws, 3);
  raw.write(Buffer.concat(fragments(raw, ['', 'a', '', 'b', ''])));
  raw.write(Buffer.concat(fragments(raw, ['', ''])));
  raw.send(OP.BINARY, '');
  assert.deepStrictEqual(
    (await got).map(([data]) => data.map(String)),
    [['a', 'b'], [], []]
  );
});

test('control frames between fragments do not show', async (t) => {
  const { ws, raw } = await wire(t, 'server');
  ws.binaryType = 'fragments';
  const [first, second, third] = fragments(raw, ['one', 'two', 'three']);
  const got = messages(ws, 1);
  raw.write(
    Buffer.concat([first, raw.build(OP.PING, 'p'), second, raw.build(OP.PONG, 'q'), third])
  );
  assert.deepStrictEqual((await got)[0][0].map(String), ['one', 'two', 'three']);
});

test('fragments that are kept stay unchanged', async (t) => {
  const { ws, raw } = await wire(t, 'server');
  ws.binaryType = 'fragments';
  const payloads = Array.from({ length: 20 }, (_, i) => randomBytes(1 + i * 997));
  const got = messages(ws, 1);
  raw.write(Buffer.concat(fragments(raw, payloads)));
  const [[kept]] = await got;
  const more = messages(ws, 50);
  for (let i = 0; i < 50; i++) raw.write(Buffer.concat(fragments(raw, payloads)));
  await more;
  assert.deepStrictEqual(kept, payloads);
});

test('text in fragments is one Buffer', async (t) => {
  const { ws, raw } = await wire(t, 'server');
  ws.binaryType = 'fragments';
  const got = messages(ws, 1);
  raw.write(Buffer.concat(fragments(raw, ['te', '', 'xt'], OP.TEXT)));
  assert.deepStrictEqual(await got, [[Buffer.from('text'), false]]);
});

test('binaryType may change in the middle of a message: the last word counts', async (t) => {
  const { ws, raw } = await wire(t, 'server');
  const [first, second] = fragments(raw, ['one', 'two']);
  const ping = once(ws, 'ping');
  raw.write(Buffer.concat([first, raw.build(OP.PING, '')]));
  await ping;
  ws.binaryType = 'fragments';
  const got = messages(ws, 1);
  raw.write(second);
  assert.deepStrictEqual((await got)[0][0].map(String), ['one', 'two']);
});

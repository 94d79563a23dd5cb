'use strict';

// The _sender of a WebSocket: engine.io sends frames through it that it has made once for all.

const assert = require('node:assert');
const WebSocket = require('../support/impl');
const { messages, until } = require('../support/helpers');
const { eachKind, pair } = require('./support/pairs');

const { frame } = WebSocket.Sender;
const OPTIONS = { fin: true, rsv1: false, mask: false, readOnly: false };

eachKind('sendFrame: in order with send(), and its callback', async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  const received = messages(client, 5);
  const called = [];
  peer.send('1');
  peer._sender.sendFrame(frame(Buffer.from('2'), { ...OPTIONS, opcode: 1 }), (err) =>
    called.push(err ?? null)
  );
  peer.send(Buffer.from('3'));
  peer._sender.sendFrame(frame(Buffer.alloc(0), { ...OPTIONS, opcode: 2 }));
  peer.send('5');
  assert.deepStrictEqual(await received, [
    [Buffer.from('1'), false],
    [Buffer.from('2'), false],
    [Buffer.from('3'), true],
    [Buffer.alloc(0), true],
    [Buffer.from('5'), false]
  ]);
  await until(() => called.length === 1);
  assert.deepStrictEqual(called, [null]);
});

eachKind('sendFrame: a frame of a string', async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  const received = messages(client, 2);
  for (const text of ['\u20ac', '\u20ac'.repeat(30000)]) {
    peer._sender.sendFrame(frame(text, { ...OPTIONS, opcode: 1 }));
  }
  assert.deepStrictEqual(
    (await received).map(([data]) => String(data).length),
    [1, 30000]
  );
});

eachKind('sendFrame: one list to many clients', async (t, kind) => {
  const pairs = await Promise.all([pair(t, kind), pair(t, kind), pair(t, kind)]);
  for (const length of [5, 70000, 300000]) {
    const payload = Buffer.alloc(length, 'hello');
    const list = frame(payload, { ...OPTIONS, opcode: 2 });
    const received = pairs.map(({ client }) => messages(client, 1));
    for (const { peer } of pairs) peer._sender.sendFrame(list);
    for (const [[data, isBinary]] of await Promise.all(received)) {
      assert.ok(data.equals(payload));
      assert.strictEqual(isBinary, true);
    }
    assert.ok(payload.equals(Buffer.alloc(length, 'hello')));
  }
});

eachKind('sendFrame counts for bufferedAmount', async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  const received = messages(client, 1);
  const payload = Buffer.alloc(64 << 20);
  peer._sender.sendFrame(frame(payload, { ...OPTIONS, opcode: 2 }));
  assert.ok(peer.bufferedAmount > 0);
  assert.strictEqual((await received)[0][0].length, payload.length);
  await until(() => peer.bufferedAmount === 0);
});

eachKind('send() through the sender itself', async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  const received = messages(peer, 2);
  client._sender.send('text', { fin: true, mask: true, binary: false, compress: false });
  client._sender.send(Buffer.from('b'), { fin: true, mask: true, binary: true, compress: false });
  assert.deepStrictEqual(await received, [
    [Buffer.from('text'), false],
    [Buffer.from('b'), true]
  ]);
});

eachKind('sendFrame while CLOSED: the callback has an error', async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  const closed = new Promise((resolve) => peer.on('close', resolve));
  client.terminate();
  await closed;
  const err = await new Promise((resolve) =>
    peer._sender.sendFrame(frame(Buffer.from('x'), { ...OPTIONS, opcode: 1 }), resolve)
  );
  assert.ok(err instanceof Error);
});

'use strict';

// A Sender with the extension: what it writes, in which order, and when it calls back.

const assert = require('node:assert');
const { randomBytes } = require('node:crypto');
const WebSocket = require('../support/impl');
const { record, test, turn, until } = require('../support/helpers');
const { OP, closePayload } = require('../support/raw-peer');
const { NAME, Takeover, inflated, prose } = require('../support/deflate');
const { write } = require('./support/receivers');
const { Sink } = require('./support/sink');

const { PerMessageDeflate, Receiver, Sender, extension } = WebSocket;

/** An instance that has agreed on `params`. */
function agreed(t, isServer, params = '', options) {
  const deflate = new PerMessageDeflate({ ...options, isServer });
  deflate.accept(extension.parse(params ? `${NAME}; ${params}` : NAME)[NAME]);
  t.after(() => deflate.cleanup());
  return deflate;
}

/** A Sender of a server over a Sink. */
function senderOf(t, params, options) {
  const sink = new Sink();
  return { sink, sender: new Sender(sink, { [NAME]: agreed(t, true, params, options) }) };
}

const TEXT = { binary: false, compress: true, fin: true, mask: false };
const BINARY = { ...TEXT, binary: true };

const outline = (frames) => frames.map(({ opcode, rsv1 }) => [opcode, rsv1]);

test('what is behind a large message waits for it', async (t) => {
  const { sender, sink } = senderOf(t);
  const order = [];
  const note = (name) => (err) => order.push([name, err ?? undefined]);
  sender.send(randomBytes(1 << 20), BINARY, note('large'));
  sender.ping('p', false, note('ping'));
  sender.send('plain', { ...TEXT, compress: false }, note('plain'));
  sender.pong('q', false, note('pong'));
  sender.send(prose(1 << 20), TEXT, note('text'));
  sender.send(new Blob(['blob']), BINARY, note('blob'));
  sender.close(1000, 'end', false, note('close'));
  assert.deepStrictEqual(order, []);
  await until(() => order.length === 7);
  assert.deepStrictEqual(
    order,
    ['large', 'ping', 'plain', 'pong', 'text', 'blob', 'close'].map((name) => [name, undefined])
  );
  assert.deepStrictEqual(outline(sink.frames), [
    [OP.BINARY, true],
    [OP.PING, false],
    [OP.TEXT, false],
    [OP.PONG, false],
    [OP.TEXT, true],
    [OP.BINARY, true],
    [OP.CLOSE, false]
  ]);
  assert.deepStrictEqual(sink.frames.at(-1).payload, closePayload(1000, 'end'));
});

test('a callback comes after the write, not after the compression', async (t) => {
  const { sender, sink } = senderOf(t);
  sink.hold();
  const order = [];
  sender.send(prose(2000), TEXT, () => order.push(1));
  sender.send(prose(3000), TEXT, () => order.push(2));
  await until(() => sink._held.length > 0);
  await turn();
  assert.deepStrictEqual(order, []);
  sink.release();
  await until(() => order.length === 2);
  assert.deepStrictEqual(order, [1, 2]);
});

test('whatever Buffer.from takes, and it stays as it is', async (t) => {
  const { sender, sink } = senderOf(t);
  const history = new Takeover();
  const bytes = Buffer.from(prose(2000));
  const copy = Buffer.from(bytes);
  const { buffer } = new Uint8Array(bytes);
  const list = [
    bytes,
    buffer,
    new Uint8Array(buffer, 2, 4),
    new DataView(buffer, 1),
    [1, 2],
    'gr\u00fc\u00dfe'
  ];
  for (const data of list) {
    await new Promise((resolve) => sender.send(data, { ...BINARY, mask: true }, resolve));
  }
  const expected = [
    copy,
    copy,
    copy.subarray(2, 6),
    copy.subarray(1),
    Buffer.from([1, 2]),
    Buffer.from('gr\u00fc\u00dfe')
  ];
  sink.frames.forEach(({ masked, payload }, i) => {
    assert.ok(masked);
    assert.ok(history.inflate(payload).equals(expected[i]), `message ${i}`);
  });
  assert.ok(bytes.equals(copy));
});

test('fragments: RSV1 on the first, and controls between them', async (t) => {
  const { sender, sink } = senderOf(t);
  sender.send(prose(3000), { ...TEXT, fin: false });
  sender.ping('', false);
  sender.send('', { ...TEXT, fin: false });
  sender.send(prose(500), { ...TEXT, compress: false });
  await new Promise((resolve) => sender.send('next', TEXT, resolve));
  const { frames } = sink;
  assert.deepStrictEqual(
    frames.map(({ fin, opcode, rsv1 }) => [fin, opcode, rsv1]),
    [
      [false, OP.TEXT, true],
      [true, OP.PING, false],
      [false, OP.CONT, false],
      [true, OP.CONT, false],
      [true, OP.TEXT, true]
    ]
  );
  const whole = Buffer.concat([0, 2, 3].map((i) => frames[i].payload));
  assert.strictEqual(String(inflated(whole)), prose(3000) + prose(500));
});

test('threshold: each end looks at its own context takeover', async (t) => {
  for (const [isServer, params, rsv1] of [
    [true, 'server_no_context_takeover', false],
    [true, 'client_no_context_takeover', true],
    [false, 'client_no_context_takeover', false],
    [false, 'server_no_context_takeover', true]
  ]) {
    const sink = new Sink();
    const sender = new Sender(sink, { [NAME]: agreed(t, isServer, params) });
    await new Promise((resolve) => sender.send(prose(1023), TEXT, resolve));
    await new Promise((resolve) => sender.send(prose(1024), TEXT, resolve));
    assert.deepStrictEqual(
      sink.frames.map((frame) => frame.rsv1),
      [rsv1, true],
      `${isServer} ${params}`
    );
  }
});

test('generateMask makes the masks of compressed frames', async (t) => {
  const sink = new Sink();
  let count = 0;
  const sender = new Sender(sink, { [NAME]: agreed(t, false) }, (mask) => mask.fill(++count));
  for (const text of ['one', 'two']) {
    await new Promise((resolve) => sender.send(text, { ...TEXT, mask: true }, resolve));
  }
  assert.deepStrictEqual(
    sink.frames.map(({ key }) => [...key]),
    [
      [1, 1, 1, 1],
      [2, 2, 2, 2]
    ]
  );
  assert.strictEqual(String(inflated(sink.frames[0].payload)), 'one');
});

test('_bufferedBytes counts what is being compressed and what waits', async (t) => {
  const { sender, sink } = senderOf(t);
  sender.send(prose(5000), TEXT);
  assert.strictEqual(sender._bufferedBytes, 5000);
  sender.send('\u20ac', TEXT);
  sender.ping('12345', false);
  assert.strictEqual(sender._bufferedBytes, 5008);
  await until(() => sink.frames.length === 3);
  assert.strictEqual(sender._bufferedBytes, 0);
});

test('the stream is destroyed: whatever waits has the error', async (t) => {
  const { sender, sink } = senderOf(t);
  const errors = [];
  const note = (err) => errors.push(err);
  sender.send(prose(100000), TEXT, note);
  sender.send('waits', TEXT, note);
  sender.ping('', false, note);
  sender.send('no callback', TEXT);
  sender.close(1000, '', false, note);
  sink.destroy();
  await until(() => errors.length === 4);
  for (const err of errors) {
    assert.strictEqual(err.message, 'The socket was closed while data was being compressed');
  }
  assert.strictEqual(sink.bytes.length, 0);
});

test('many at once: each in its own order', async (t) => {
  await Promise.all(
    Array.from({ length: 30 }, async (_, n) => {
      const { sender, sink } = senderOf(t);
      const history = new Takeover();
      const list = Array.from({ length: 10 }, (_, i) => `${n} ${i} ${prose(i * 500)}`);
      for (const text of list) sender.send(text, TEXT);
      await until(() => sink.frames.length === list.length);
      assert.deepStrictEqual(
        sink.frames.map(({ payload }) => String(history.inflate(payload))),
        list
      );
    })
  );
});

test('one instance for both directions of an end', async (t) => {
  const [client, server] = [false, true].map((isServer) => {
    const extensions = { [NAME]: agreed(t, isServer) };
    const sink = new Sink();
    const receiver = new Receiver({ isServer, extensions });
    return { sink, sender: new Sender(sink, extensions), receiver, mask: !isServer };
  });
  for (const end of [client, server]) end.log = record(end.receiver, ['message']);
  for (let i = 0; i < 5; i++) {
    for (const [from, to] of [
      [client, server],
      [server, client]
    ]) {
      const before = from.sink.bytes.length;
      const options = { ...TEXT, mask: from.mask };
      await new Promise((resolve) => from.sender.send(prose(3000), options, resolve));
      const bytes = from.sink.bytes.subarray(before);
      if (i > 0) assert.ok(bytes.length < 100, 'refers to the message before');
      await write(to.receiver, bytes);
      assert.deepStrictEqual(to.log[i], ['message', Buffer.from(prose(3000)), false]);
    }
  }
});

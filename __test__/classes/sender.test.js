'use strict';

const assert = require('node:assert');
const WebSocket = require('../support/impl');
const { test, until } = require('../support/helpers');
const { OP, closePayload } = require('../support/raw-peer');
const { Sink } = require('./support/sink');

const { Sender } = WebSocket;
const TEXT = { binary: false, compress: false, fin: true, mask: false };
const BINARY = { ...TEXT, binary: true };

/** A Sender over a Sink. */
function senderOf(...args) {
  const sink = new Sink();
  return { sink, sender: new Sender(sink, ...args) };
}

const outline = (frames) =>
  frames.map(({ fin, opcode, payload }) => [opcode, fin, String(payload)]);

test('send: text and binary', () => {
  const { sender, sink } = senderOf();
  sender.send('hello', TEXT);
  sender.send(Buffer.from('bytes'), BINARY);
  sender.send('as binary', BINARY);
  sender.send(Buffer.from('as text'), TEXT);
  assert.deepStrictEqual(outline(sink.frames), [
    [OP.TEXT, true, 'hello'],
    [OP.BINARY, true, 'bytes'],
    [OP.BINARY, true, 'as binary'],
    [OP.TEXT, true, 'as text']
  ]);
  for (const { masked, rsv1 } of sink.frames)
    assert.deepStrictEqual([masked, rsv1], [false, false]);
});

test('send: whatever Buffer.from takes', () => {
  const { sender, sink } = senderOf();
  const bytes = Buffer.from('abcdefgh');
  const { buffer } = new Uint8Array(bytes);
  for (const data of [
    buffer,
    new Uint8Array(buffer),
    new Uint16Array(buffer),
    new Uint8Array(buffer, 2, 4),
    new DataView(buffer, 1),
    [...bytes],
    new String('abcdefgh')
  ]) {
    sender.send(data, BINARY);
  }
  assert.deepStrictEqual(
    sink.frames.map(({ payload }) => String(payload)),
    ['abcdefgh', 'abcdefgh', 'abcdefgh', 'cdef', 'bcdefgh', 'abcdefgh', 'abcdefgh']
  );
  for (const data of [true, null, {}, Symbol('x')]) {
    assert.throws(() => sender.send(data, BINARY), TypeError);
  }
});

test('send: fragments', () => {
  const { sender, sink } = senderOf();
  sender.send('a', { ...TEXT, fin: false });
  sender.send('b', { ...BINARY, fin: false });
  sender.ping('p', false);
  sender.send('c', TEXT);
  sender.send('d', BINARY);
  assert.deepStrictEqual(outline(sink.frames), [
    [OP.TEXT, false, 'a'],
    [OP.CONT, false, 'b'],
    [OP.PING, true, 'p'],
    [OP.CONT, true, 'c'],
    [OP.BINARY, true, 'd']
  ]);
});

test('send: fin is false unless it is said', () => {
  const { sender, sink } = senderOf();
  sender.send('a', {});
  sender.send('b', {});
  assert.deepStrictEqual(outline(sink.frames), [
    [OP.TEXT, false, 'a'],
    [OP.CONT, false, 'b']
  ]);
});

test('mask: frames are masked, and the data of the caller is not', () => {
  const { sender, sink } = senderOf();
  const data = Buffer.from('x'.repeat(200));
  const view = new Uint16Array([1, 2, 3]);
  sender.send(data, { ...BINARY, mask: true });
  sender.send(view, { ...BINARY, mask: true });
  sender.send('text', { ...TEXT, mask: true });
  sender.ping(data.subarray(0, 10), true);
  sender.pong(data.subarray(0, 10), true);
  sender.close(1000, 'why', true);
  assert.ok(sink.frames.every(({ masked }) => masked));
  assert.deepStrictEqual(
    sink.frames.map(({ payload }) => payload.length),
    [200, 6, 4, 10, 10, 5]
  );
  assert.strictEqual(String(data), 'x'.repeat(200));
  assert.deepStrictEqual(view, new Uint16Array([1, 2, 3]));
});

test('generateMask of the constructor makes all masks', () => {
  let count = 0;
  const { sender, sink } = senderOf({}, (mask) => mask.set([9, 8, 7, count++]));
  sender.send('a', { ...TEXT, mask: true });
  sender.ping('b', true);
  sender.pong('c', true);
  sender.close(1000, 'd', true);
  sender.send('unmasked', TEXT);
  assert.deepStrictEqual(
    sink.frames.map(({ key }) => key && [...key]),
    [[9, 8, 7, 0], [9, 8, 7, 1], [9, 8, 7, 2], [9, 8, 7, 3], null]
  );
});

test('ping and pong: their data', () => {
  const { sender, sink } = senderOf();
  for (const method of ['ping', 'pong']) {
    sender[method]('text', false);
    sender[method](Buffer.from('buffer'), false);
    sender[method](new Uint8Array([97, 98]).buffer, false);
    sender[method](Buffer.alloc(125, 'x'), false);
    sender[method]('', false);
  }
  const payloads = ['text', 'buffer', 'ab', 'x'.repeat(125), ''];
  assert.deepStrictEqual(outline(sink.frames), [
    ...payloads.map((payload) => [OP.PING, true, payload]),
    ...payloads.map((payload) => [OP.PONG, true, payload])
  ]);
});

test('ping and pong: 126 bytes are a RangeError', () => {
  const { sender, sink } = senderOf();
  for (const method of ['ping', 'pong']) {
    for (const data of [
      Buffer.alloc(126),
      'x'.repeat(126),
      '\u20ac'.repeat(42),
      new Blob(['x'.repeat(126)])
    ]) {
      assert.throws(() => sender[method](data, false), {
        name: 'RangeError',
        message: 'The data size must not be greater than 125 bytes'
      });
    }
  }
  assert.strictEqual(sink.bytes.length, 0);
});

test('close: code and reason', () => {
  for (const [args, payload] of [
    [[], Buffer.alloc(0)],
    [[1000], closePayload(1000)],
    [[1000, undefined], closePayload(1000)],
    [[1001, ''], closePayload(1001)],
    [[3000, 'r\u00e9ason'], closePayload(3000, 'r\u00e9ason')],
    [[4999, Buffer.from('bytes')], closePayload(4999, 'bytes')],
    [[1000, 'x'.repeat(123)], closePayload(1000, 'x'.repeat(123))]
  ]) {
    const { sender, sink } = senderOf();
    sender.close(...args);
    assert.strictEqual(sink.frames.length, 1);
    assert.strictEqual(sink.frames[0].opcode, OP.CLOSE);
    assert.deepStrictEqual(sink.frames[0].payload, payload);
  }
});

test('close: bad arguments', () => {
  const { sender, sink } = senderOf();
  for (const code of [999, 1004, 1005, 1006, 1015, 2999, 5000, '1000', null, NaN]) {
    assert.throws(() => sender.close(code), {
      name: 'TypeError',
      message: 'First argument must be a valid error code number'
    });
  }
  for (const reason of ['x'.repeat(124), '\u20ac'.repeat(42), Buffer.alloc(124)]) {
    assert.throws(() => sender.close(1000, reason), {
      name: 'RangeError',
      message: 'The message must not be greater than 123 bytes'
    });
  }
  assert.strictEqual(sink.bytes.length, 0);
});

test('callbacks: after the write, in order', async () => {
  const { sender, sink } = senderOf();
  sink.hold();
  const order = [];
  sender.send('a', TEXT, (err) => order.push(['send', err ?? null]));
  sender.ping('b', false, (err) => order.push(['ping', err ?? null]));
  sender.pong('c', false, (err) => order.push(['pong', err ?? null]));
  sender.close(1000, 'd', false, (err) => order.push(['close', err ?? null]));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepStrictEqual(order, []);
  sink.release();
  await until(() => order.length === 4);
  assert.deepStrictEqual(
    order,
    ['send', 'ping', 'pong', 'close'].map((name) => [name, null])
  );
});

test('callbacks: the error of a stream that is gone', async () => {
  const { sender, sink } = senderOf();
  sink.on('error', () => {});
  sink.destroy();
  const err = await new Promise((resolve) => sender.send('a', TEXT, resolve));
  assert.strictEqual(err.code, 'ERR_STREAM_DESTROYED');
});

test('sendFrame: a list of one or two, with a callback', async () => {
  const { sender, sink } = senderOf();
  sink.hold();
  let called = 0;
  sender.sendFrame([Buffer.from([0x81, 5]), Buffer.from('hello')], () => called++);
  sender.sendFrame([Buffer.from([0x89, 0])], () => called++);
  sender.sendFrame([Buffer.from([0x82, 0])]);
  assert.strictEqual(called, 0);
  sink.release();
  await until(() => called === 2);
  assert.deepStrictEqual(outline(sink.frames), [
    [OP.TEXT, true, 'hello'],
    [OP.PING, true, ''],
    [OP.BINARY, true, '']
  ]);
});

test('sendFrame: header and payload leave together', () => {
  const { sender, sink } = senderOf();
  const batches = [];
  sink._writev = (chunks, callback) => {
    batches.push(chunks.map(({ chunk }) => chunk.length));
    callback();
  };
  sender.sendFrame([Buffer.from([0x81, 5]), Buffer.from('hello')]);
  assert.deepStrictEqual(batches, [[2, 5]]);
});

test('sendFrame: with what Sender.frame returns', () => {
  const { sender, sink } = senderOf();
  const options = { fin: true, rsv1: false, opcode: 1, mask: false, readOnly: false };
  sender.sendFrame(Sender.frame(Buffer.from('encoded once'), options));
  sender.send('sent', TEXT);
  assert.deepStrictEqual(outline(sink.frames), [
    [OP.TEXT, true, 'encoded once'],
    [OP.TEXT, true, 'sent']
  ]);
});

test('Blob: read asynchronously, with the order kept', async () => {
  const { sender, sink } = senderOf();
  const order = [];
  sender.send(new Blob(['blob']), BINARY, () => order.push(1));
  sender.send('text', TEXT, () => order.push(2));
  sender.ping(new Blob(['ping']), false, () => order.push(3));
  sender.pong(new Blob(['pong']), false, () => order.push(4));
  sender.send(new File(['file'], 'name'), { ...TEXT, mask: true }, () => order.push(5));
  sender.close(1000, 'end', false, () => order.push(6));
  assert.strictEqual(sink.bytes.length, 0);
  await until(() => order.length === 6);
  assert.deepStrictEqual(order, [1, 2, 3, 4, 5, 6]);
  assert.deepStrictEqual(outline(sink.frames.slice(0, 5)), [
    [OP.BINARY, true, 'blob'],
    [OP.TEXT, true, 'text'],
    [OP.PING, true, 'ping'],
    [OP.PONG, true, 'pong'],
    [OP.TEXT, true, 'file']
  ]);
  assert.strictEqual(sink.frames[5].opcode, OP.CLOSE);
});

test('_bufferedBytes counts what waits for a Blob', async () => {
  const { sender, sink } = senderOf();
  assert.strictEqual(sender._bufferedBytes, 0);
  sender.send(new Blob(['12345']), BINARY);
  assert.strictEqual(sender._bufferedBytes, 5);
  sender.send('1234567', TEXT);
  assert.strictEqual(sender._bufferedBytes, 12);
  sender.ping('\u20ac', false);
  assert.strictEqual(sender._bufferedBytes, 15);
  sender.close(1000, 'x', false);
  assert.strictEqual(sender._bufferedBytes, 18);
  await until(() => sink.frames.length === 4);
  assert.strictEqual(sender._bufferedBytes, 0);
});

test('Blob: the stream is destroyed while it is read', async () => {
  const { sender, sink } = senderOf();
  const errors = [];
  sender.send(new Blob(['12345']), BINARY, (err) => errors.push(err));
  sender.send('waits', TEXT, (err) => errors.push(err));
  sender.send('no callback', TEXT);
  sink.destroy();
  await until(() => errors.length === 2);
  assert.strictEqual(errors[0].message, 'The socket was closed while the blob was being read');
  assert.strictEqual(errors[1], errors[0]);
  assert.strictEqual(sink.bytes.length, 0);
});

test('Blob: one that cannot be read', async () => {
  const { sender, sink } = senderOf();
  const reason = new Error('unreadable');
  const blob = new Blob(['12345']);
  blob.arrayBuffer = () => Promise.reject(reason);
  const seen = [];
  sender.onerror = (err) => seen.push(['onerror', err]);
  sender.send(blob, BINARY, (err) => seen.push(['send', err]));
  sender.send('waits', TEXT, (err) => seen.push(['waits', err]));
  await until(() => seen.length === 3);
  assert.deepStrictEqual(seen, [
    ['send', reason],
    ['waits', reason],
    ['onerror', reason]
  ]);
  assert.strictEqual(sink.bytes.length, 0);
});

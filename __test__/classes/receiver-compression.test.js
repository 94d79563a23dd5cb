'use strict';

// A Receiver with the extension: what it emits, and what its errors are.

const assert = require('node:assert');
const WebSocket = require('../support/impl');
const { test, until } = require('../support/helpers');
const { OP, closePayload } = require('../support/raw-peer');
const { NAME, TAIL, Takeover, deflated, prose } = require('../support/deflate');
const { frame, receiverOf, write } = require('./support/receivers');

const { PerMessageDeflate, extension } = WebSocket;
const COMPRESSED = { rsv1: true };
const START = { rsv1: true, fin: false };

/** A Receiver of a client, and its log. `limit` is that of its PerMessageDeflate. */
function deflateReceiver(t, { params = '', limit = 0, ...options } = {}) {
  const deflate = new PerMessageDeflate({ maxPayload: limit });
  deflate.accept(extension.parse(params ? `${NAME}; ${params}` : NAME)[NAME]);
  t.after(() => deflate.cleanup());
  return receiverOf({ extensions: { [NAME]: deflate }, ...options });
}

/** A compressed message in one frame. */
const whole = (data, opcode = OP.TEXT) => frame(opcode, deflated(data), COMPRESSED);

test('context takeover, and messages that are plain in between', async (t) => {
  const { receiver, log } = deflateReceiver(t);
  const history = new Takeover();
  const sent = [prose(3000), prose(3000), '', 'short', prose(100000)];
  const frames = sent.map((text) => frame(OP.TEXT, history.deflate(text), COMPRESSED));
  assert.ok(frames[1].length < 100);
  frames.splice(1, 0, frame(OP.TEXT, 'plain'));
  await write(receiver, Buffer.concat(frames));
  sent.splice(1, 0, 'plain');
  assert.deepStrictEqual(
    log,
    sent.map((text) => ['message', Buffer.from(text), false])
  );
});

test('the callback of write() comes after the messages in it', async (t) => {
  const { receiver, log } = deflateReceiver(t);
  for (let i = 1; i <= 5; i++) {
    await write(receiver, whole(prose(i * 1000)));
    assert.strictEqual(log.length, i);
  }
});

test('byte by byte', async (t) => {
  const { receiver, log } = deflateReceiver(t);
  const bytes = Buffer.concat([
    whole(prose(300)),
    frame(OP.PING, 'ping'),
    frame(OP.BINARY, deflated('in two').subarray(0, 3), START),
    frame(OP.CONT, deflated('in two').subarray(3)),
    frame(OP.CLOSE, closePayload(1000))
  ]);
  for (const byte of bytes) receiver.write(Buffer.of(byte));
  await until(() => log.some(([name]) => name === 'conclude'));
  assert.deepStrictEqual(
    log.slice(0, 4).map(([name, data]) => [name, String(data)]),
    [
      ['message', prose(300)],
      ['ping', 'ping'],
      ['message', 'in two'],
      ['conclude', '1000']
    ]
  );
});

test('binaryType nodebuffer, arraybuffer, blob, fragments', async (t) => {
  const parts = [prose(2000), '', prose(70000), 'end'];
  const data = Buffer.from(parts.join(''));
  const frames = Buffer.concat(
    parts.map((part, i) => {
      const fin = i === parts.length - 1;
      const payload = fin ? deflated(part) : Buffer.concat([deflated(part), TAIL]);
      return frame(i ? OP.CONT : OP.BINARY, payload, { fin, rsv1: i === 0 });
    })
  );
  const checks = {
    nodebuffer: (received) => assert.ok(received.equals(data)),
    arraybuffer(received) {
      assert.ok(received instanceof ArrayBuffer);
      assert.ok(Buffer.from(received).equals(data));
    },
    async blob(received) {
      assert.ok(received instanceof Blob);
      assert.ok(Buffer.from(await received.arrayBuffer()).equals(data));
    },
    fragments: (received) =>
      assert.deepStrictEqual(
        received,
        parts.filter(Boolean).map((part) => Buffer.from(part))
      )
  };
  for (const [binaryType, check] of Object.entries(checks)) {
    const { receiver, log } = deflateReceiver(t, { binaryType });
    await write(receiver, frames);
    assert.strictEqual(log[0][2], true);
    await check(log[0][1]);
  }
});

test('maxPayload: that of the Receiver, and that of the PerMessageDeflate', async (t) => {
  for (const options of [{ maxPayload: 1000 }, { limit: 1000 }]) {
    const { receiver, log } = deflateReceiver(t, options);
    assert.strictEqual(await write(receiver, whole(prose(1000))), undefined);
    const err = await write(receiver, whole(prose(1001)));
    assert.deepStrictEqual(
      [err.name, err.code, err.message],
      ['RangeError', 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 'Max payload size exceeded']
    );
    await until(() => log.some(([name]) => name === 'close'));
    assert.deepStrictEqual(
      log.map(([name]) => name),
      ['message', 'error', 'close']
    );
  }
});

test('maxPayload: the fragments together', async (t) => {
  const { receiver } = deflateReceiver(t, { maxPayload: 1000 });
  const first = frame(OP.BINARY, Buffer.concat([deflated(prose(600)), TAIL]), START);
  assert.strictEqual(await write(receiver, first), undefined);
  const err = await write(receiver, frame(OP.CONT, deflated(prose(401))));
  assert.strictEqual(err.code, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH');
});

test('skipUTF8Validation', async (t) => {
  const bad = Buffer.from([0x61, 0xff]);
  const strict = deflateReceiver(t);
  assert.strictEqual((await write(strict.receiver, whole(bad))).code, 'WS_ERR_INVALID_UTF8');
  const { receiver, log } = deflateReceiver(t, { skipUTF8Validation: true });
  await write(receiver, whole(bad));
  assert.deepStrictEqual(log, [['message', bad, false]]);
});

test('nothing is emitted after an error', async (t) => {
  const { receiver, log } = deflateReceiver(t);
  const bytes = [whole('before'), frame(OP.TEXT, [0x06], COMPRESSED), whole('after')];
  const err = await write(receiver, Buffer.concat(bytes));
  assert.deepStrictEqual([err.name, err.code], ['Error', 'Z_DATA_ERROR']);
  await until(() => log.some(([name]) => name === 'close'));
  assert.deepStrictEqual(log, [
    ['message', Buffer.from('before'), false],
    ['error', err],
    ['close']
  ]);
});

test('without the extension RSV1 is an error', async () => {
  for (const extensions of [undefined, {}, { 'x-other': {} }]) {
    const { receiver } = receiverOf({ extensions });
    const err = await write(receiver, whole('x'));
    assert.strictEqual(err.code, 'WS_ERR_UNEXPECTED_RSV_1');
  }
});

test('allowSynchronousEvents: false', async (t) => {
  const { receiver, log } = deflateReceiver(t, { allowSynchronousEvents: false });
  const bytes = [
    frame(OP.TEXT, 'plain'),
    whole('one', OP.BINARY),
    frame(OP.PING, 'ping'),
    whole('two', OP.BINARY),
    frame(OP.CLOSE, '')
  ];
  receiver.write(Buffer.concat(bytes));
  assert.deepStrictEqual(log, []);
  await until(() => log.some(([name]) => name === 'close'));
  assert.deepStrictEqual(
    log.map(([name, data]) => [name, String(data)]),
    [
      ['message', 'plain'],
      ['message', 'one'],
      ['ping', 'ping'],
      ['message', 'two'],
      ['conclude', '1005'],
      ['finish', 'undefined'],
      ['close', 'undefined']
    ]
  );
});

test('PerMessageDeflate: what was refused has left no parameters', () => {
  const deflate = new PerMessageDeflate({ isServer: true });
  const accept = (header) => deflate.accept(extension.parse(header)[NAME]);
  assert.throws(() => accept(`${NAME}; foo`));
  assert.strictEqual(deflate.params, null);
  accept(`${NAME}; server_no_context_takeover`);
  assert.deepStrictEqual({ ...deflate.params }, { server_no_context_takeover: true });
});

test('PerMessageDeflate: cleanup() any time, and what comes after it begins anew', async () => {
  const deflate = new PerMessageDeflate({ isServer: true });
  deflate.cleanup();
  deflate.accept(extension.parse(NAME)[NAME]);
  deflate.cleanup();
  const compress = (data) =>
    new Promise((resolve, reject) =>
      deflate.compress(data, true, (err, out) => (err ? reject(err) : resolve(out)))
    );
  const first = await compress(prose(2000));
  assert.ok((await compress(prose(2000))).length < 100);
  deflate.cleanup();
  deflate.cleanup();
  assert.deepStrictEqual(await compress(prose(2000)), first);
  deflate.cleanup();
});

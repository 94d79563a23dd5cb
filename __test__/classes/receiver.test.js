'use strict';

const assert = require('node:assert');
const { Writable } = require('node:stream');
const WebSocket = require('../support/impl');
const { test, until } = require('../support/helpers');
const { OP, closePayload } = require('../support/raw-peer');
const { binary, frame, more, receiverOf, text, write } = require('./support/receivers');

const { Receiver } = WebSocket;
const MASKED = { mask: true };

test('is a Writable', () => {
  assert.ok(Receiver.prototype instanceof Writable);
  assert.ok(new Receiver() instanceof Receiver);
  assert.ok(new Receiver({}).writable);
});

test('a client by default: unmasked frames', async () => {
  const { receiver, log } = receiverOf();
  await write(receiver, Buffer.concat([text('hello'), binary([1, 2, 3])]));
  assert.deepStrictEqual(log, [
    ['message', Buffer.from('hello'), false],
    ['message', Buffer.from([1, 2, 3]), true]
  ]);
});

test('isServer: masked frames', async () => {
  const { receiver, log } = receiverOf({ isServer: true });
  await write(
    receiver,
    Buffer.concat([text('hello', MASKED), binary('x', { mask: Buffer.alloc(4) })])
  );
  assert.deepStrictEqual(log, [
    ['message', Buffer.from('hello'), false],
    ['message', Buffer.from('x'), true]
  ]);
});

for (const isServer of [false, true]) {
  for (const length of [0, 1, 125, 126, 65535, 65536, 300000]) {
    test(`a message of ${length} bytes, isServer ${isServer}`, async () => {
      const { receiver, log } = receiverOf({ isServer });
      const payload = Buffer.alloc(length, 'abcdefg');
      await write(receiver, binary(payload, { mask: isServer }));
      assert.strictEqual(log.length, 1);
      const [[name, data, isBinary]] = log;
      assert.deepStrictEqual([name, isBinary], ['message', true]);
      assert.ok(Buffer.isBuffer(data) && data.equals(payload));
    });
  }
}

test('lengths in more bytes than they need', async () => {
  const { receiver, log } = receiverOf();
  for (const lengthBytes of [2, 8]) await write(receiver, binary('abc', { lengthBytes }));
  assert.deepStrictEqual(log, [
    ['message', Buffer.from('abc'), true],
    ['message', Buffer.from('abc'), true]
  ]);
});

/** Every kind of event once, ended by a close frame, as bytes and as a log. */
function conversation(mask) {
  const bytes = Buffer.concat([
    text('one', { mask, fin: false }),
    frame(OP.PING, 'ping', { mask }),
    more('', { mask, fin: false }),
    frame(OP.PONG, 'pong', { mask }),
    more(' two \u20ac', { mask }),
    binary(Buffer.alloc(300, 7), { mask }),
    text('', { mask }),
    frame(OP.CLOSE, closePayload(3000, 'bye'), { mask })
  ]);
  const events = [
    ['ping', Buffer.from('ping')],
    ['pong', Buffer.from('pong')],
    ['message', Buffer.from('one two \u20ac'), false],
    ['message', Buffer.alloc(300, 7), true],
    ['message', Buffer.alloc(0), false],
    ['conclude', 3000, Buffer.from('bye')]
  ];
  return { bytes, events };
}

for (const isServer of [false, true]) {
  test(`fragments, with control frames among them, isServer ${isServer}`, async () => {
    const { receiver, log } = receiverOf({ isServer });
    const { bytes, events } = conversation(isServer);
    await write(receiver, bytes);
    assert.deepStrictEqual(log.slice(0, 6), events);
  });

  test(`byte by byte, isServer ${isServer}`, async () => {
    const { receiver, log } = receiverOf({ isServer });
    const { bytes, events } = conversation(isServer);
    for (const byte of bytes) await write(receiver, Buffer.from([byte]));
    assert.deepStrictEqual(log.slice(0, 6), events);
  });

  test(`parted at every place, isServer ${isServer}`, async () => {
    for (let at = 1; at < conversation(isServer).bytes.length; at++) {
      const { receiver, log } = receiverOf({ isServer });
      const { bytes, events } = conversation(isServer);
      receiver.write(bytes.subarray(0, at));
      await write(receiver, bytes.subarray(at));
      assert.deepStrictEqual(log.slice(0, 6), events, `at ${at}`);
    }
  });
}

test('a message that keeps its bytes when more arrive', async () => {
  const { receiver, log } = receiverOf({ isServer: true });
  for (let i = 0; i < 50; i++) await write(receiver, binary(Buffer.alloc(40, i), MASKED));
  log.forEach(([, data], i) => assert.ok(data.equals(Buffer.alloc(40, i))));
});

test('close frames: conclude, then finish and close', async () => {
  for (const [payload, code, reason] of [
    ['', 1005, ''],
    [closePayload(1000), 1000, ''],
    [closePayload(4999, 'r\u00e9ason'), 4999, 'r\u00e9ason'],
    [closePayload(1014, 'x'.repeat(123)), 1014, 'x'.repeat(123)]
  ]) {
    const { receiver, log } = receiverOf();
    receiver.write(frame(OP.CLOSE, payload));
    await until(() => log.length === 3);
    assert.deepStrictEqual(log, [['conclude', code, Buffer.from(reason)], ['finish'], ['close']]);
  }
});

test('what follows a close frame is not looked at', async () => {
  const { receiver, log } = receiverOf();
  receiver.write(Buffer.concat([frame(OP.CLOSE, ''), text('late'), Buffer.from('nonsense')]));
  await until(() => log.some(([name]) => name === 'close'));
  assert.deepStrictEqual(
    log.map(([name]) => name),
    ['conclude', 'finish', 'close']
  );
});

test('end(): finish and close, also within a frame', async () => {
  for (const bytes of [text('whole'), text('whole').subarray(0, 4), Buffer.alloc(0)]) {
    const { receiver, log } = receiverOf();
    receiver.write(bytes);
    receiver.end();
    await until(() => log.some(([name]) => name === 'close'));
    assert.deepStrictEqual(
      log.map(([name]) => name).filter((name) => name !== 'message'),
      ['finish', 'close']
    );
  }
});

test('destroy(): close alone, and nothing more is received', async () => {
  const { receiver, log } = receiverOf();
  receiver.write(text('half').subarray(0, 3));
  receiver.destroy();
  await until(() => log.length > 0);
  assert.deepStrictEqual(log, [['close']]);
  assert.strictEqual(receiver.destroyed, true);
});

test('destroy(err): error and close', async () => {
  const { receiver, log } = receiverOf();
  const reason = new Error('destroyed');
  receiver.destroy(reason);
  await until(() => log.length === 2);
  assert.deepStrictEqual(log, [['error', reason], ['close']]);
});

test('strings and Uint8Arrays are bytes', async () => {
  const { receiver, log } = receiverOf();
  receiver.write(text('hi').toString('latin1'), 'latin1');
  await write(receiver, new Uint8Array(text('ho')));
  assert.deepStrictEqual(
    log.map(([, data]) => String(data)),
    ['hi', 'ho']
  );
});

test('events come within write(), and its callback afterwards', async () => {
  const { receiver, log } = receiverOf();
  let called = false;
  const done = new Promise((resolve) => {
    receiver.write(Buffer.concat([text('a'), frame(OP.PING, 'p'), text('b')]), () => {
      called = true;
      resolve();
    });
  });
  assert.strictEqual(log.length, 3);
  assert.strictEqual(called, false);
  await done;
});

test('callbacks come in the order of the writes', async () => {
  const { receiver } = receiverOf();
  const order = [];
  const bytes = text('hello');
  for (let i = 0; i < bytes.length; i++) {
    receiver.write(bytes.subarray(i, i + 1), () => order.push(i));
  }
  await until(() => order.length === bytes.length);
  assert.deepStrictEqual(order, [...bytes.keys()]);
});

test('a listener that writes', async () => {
  const { receiver, log } = receiverOf();
  receiver.once('message', () => receiver.write(text('second')));
  receiver.write(text('first'));
  await until(() => log.length === 2);
  assert.deepStrictEqual(
    log.map(([, data]) => String(data)),
    ['first', 'second']
  );
});

test('allowSynchronousEvents: false: each event in a turn of its own', async () => {
  const { receiver, log } = receiverOf({ allowSynchronousEvents: false });
  const turns = [];
  let turn = 0;
  let running = true;
  const count = () => {
    turn++;
    if (running) setImmediate(count);
  };
  setImmediate(count);
  for (const name of ['message', 'ping', 'pong']) receiver.on(name, () => turns.push(turn));
  const bytes = [text('a'), frame(OP.PING, 'p'), binary('b'), frame(OP.PONG, 'q'), text('c')];
  let called = false;
  const done = write(receiver, Buffer.concat(bytes)).then(() => (called = true));
  assert.deepStrictEqual(log, []);
  receiver.on('message', () => assert.strictEqual(called, false));
  await done;
  running = false;
  assert.deepStrictEqual(
    log.map(([name, data]) => [name, String(data)]),
    [
      ['message', 'a'],
      ['ping', 'p'],
      ['message', 'b'],
      ['pong', 'q'],
      ['message', 'c']
    ]
  );
  assert.strictEqual(new Set(turns).size, 5);
});

test('allowSynchronousEvents: false: the close frame waits for its turn', async () => {
  const { receiver, log } = receiverOf({ allowSynchronousEvents: false });
  receiver.write(Buffer.concat([text('a'), text('b'), frame(OP.CLOSE, closePayload(1000))]));
  await until(() => log.some(([name]) => name === 'close'));
  assert.deepStrictEqual(
    log.map(([name]) => name),
    ['message', 'message', 'conclude', 'finish', 'close']
  );
});

test('allowSynchronousEvents: false: write() asks to wait, and drain says when to go on', async () => {
  const { receiver, log } = receiverOf({ allowSynchronousEvents: false });
  const bytes = Buffer.concat([text('a'), binary(Buffer.alloc(receiver.writableHighWaterMark))]);
  const drained = new Promise((resolve) => receiver.once('drain', resolve));
  assert.strictEqual(receiver.write(bytes), false);
  await drained;
  assert.strictEqual(log.length, 2);
});

test('binaryType nodebuffer, arraybuffer, fragments, blob; text stays a Buffer', async () => {
  const parts = Buffer.concat([
    binary('one', { fin: false }),
    more('', { fin: false }),
    more('two', { fin: false }),
    more('three'),
    text('text')
  ]);
  for (const [binaryType, check] of [
    [undefined, (data) => assert.deepStrictEqual(data, Buffer.from('onetwothree'))],
    ['nodebuffer', (data) => assert.deepStrictEqual(data, Buffer.from('onetwothree'))],
    [
      'arraybuffer',
      (data) => {
        assert.ok(data instanceof ArrayBuffer);
        assert.strictEqual(data.byteLength, 11);
        assert.strictEqual(String(Buffer.from(data)), 'onetwothree');
      }
    ],
    [
      'fragments',
      (data) =>
        assert.deepStrictEqual(
          data,
          ['one', 'two', 'three'].map((part) => Buffer.from(part))
        )
    ],
    [
      'blob',
      async (data) => {
        assert.ok(data instanceof Blob);
        assert.strictEqual(await data.text(), 'onetwothree');
      }
    ]
  ]) {
    const { receiver, log } = receiverOf({ binaryType });
    await write(receiver, parts);
    assert.strictEqual(log[0][2], true, binaryType);
    await check(log[0][1]);
    assert.deepStrictEqual(log[1], ['message', Buffer.from('text'), false]);
  }
});

test('binaryType: a message without a byte', async () => {
  for (const [binaryType, size] of [
    ['nodebuffer', (data) => data.length],
    ['arraybuffer', (data) => data.byteLength],
    ['fragments', (data) => data.length],
    ['blob', (data) => data.size]
  ]) {
    const { receiver, log } = receiverOf({ binaryType });
    await write(receiver, Buffer.concat([binary(''), binary('', { fin: false }), more('')]));
    assert.deepStrictEqual(
      log.map(([, data]) => size(data)),
      [0, 0],
      binaryType
    );
  }
});

test('skipUTF8Validation: text and close reason as they are', async () => {
  const { receiver, log } = receiverOf({ skipUTF8Validation: true });
  const bad = Buffer.from([0xff, 0xfe]);
  const close = Buffer.concat([closePayload(1000), bad]);
  await write(receiver, Buffer.concat([text(bad), frame(OP.CLOSE, close)]));
  assert.deepStrictEqual(log.slice(0, 2), [
    ['message', bad, false],
    ['conclude', 1000, bad]
  ]);
});

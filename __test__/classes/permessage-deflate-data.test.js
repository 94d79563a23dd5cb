'use strict';

// Compressing and decompressing, RFC 7692 section 7.2, alone and within Receiver and Sender.

const assert = require('node:assert');
const { randomBytes } = require('node:crypto');
const { promisify } = require('node:util');
const zlib = require('node:zlib');
const WebSocket = require('../support/impl');
const { test, until } = require('../support/helpers');
const { OP, buildFrame } = require('../support/raw-peer');
const { frame, receiverOf, write } = require('./support/receivers');
const { Sink } = require('./support/sink');

const { PerMessageDeflate, Sender, extension } = WebSocket;
const NAME = 'permessage-deflate';
const HELLO = Buffer.from('f248cdc9c90700', 'hex'); // RFC 7692 section 7.2.3.1

/** What zlib makes of a compressed message. */
function inflate(message) {
  const whole = Buffer.concat([message, Buffer.from([0, 0, 0xff, 0xff])]);
  return zlib.inflateRawSync(whole, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
}

/** A client's and a server's instance that have agreed on `params`, with promises for callbacks. */
function agreed(t, params = '', options) {
  const header = `${NAME}${params && `; ${params}`}`;
  return [false, true].map((isServer) => {
    const deflate = new PerMessageDeflate({ ...options, isServer });
    deflate.accept(extension.parse(header)[NAME]);
    t.after(() => deflate.cleanup());
    return {
      deflate,
      compress: promisify(deflate.compress.bind(deflate)),
      decompress: promisify(deflate.decompress.bind(deflate))
    };
  });
}

test('the example of the RFC', async (t) => {
  const [client, server] = agreed(t);
  assert.deepStrictEqual(await server.decompress(HELLO, true), Buffer.from('Hello'));
  // the window of the first message: RFC 7692 section 7.2.3.2
  const second = Buffer.from('f200110000', 'hex');
  assert.deepStrictEqual(await server.decompress(second, true), Buffer.from('Hello'));
  const compressed = await client.compress(Buffer.from('Hello'), true);
  assert.strictEqual(String(inflate(compressed)), 'Hello');
});

test('context takeover: a message like the one before is shorter', async (t) => {
  const [client, server] = agreed(t);
  const text = 'a text that is sent twice, and no part of it twice';
  const [first, second] = [await client.compress(text, true), await client.compress(text, true)];
  assert.ok(second.length < first.length / 2);
  assert.strictEqual(String(await server.decompress(first, true)), text);
  assert.strictEqual(String(await server.decompress(second, true)), text);
});

for (const params of [
  '',
  'client_no_context_takeover; server_no_context_takeover',
  'client_max_window_bits=9; server_max_window_bits=9',
  'client_max_window_bits=15; server_max_window_bits=15'
]) {
  test(`round trips both ways: ${params || 'no parameters'}`, async (t) => {
    const [client, server] = agreed(t, params);
    const payloads = [
      Buffer.alloc(0),
      Buffer.from('x'),
      Buffer.alloc(100000, 'abc'),
      randomBytes(100000),
      Buffer.alloc(1 << 20, 'the same again and again ')
    ];
    for (const [from, to] of [
      [client, server],
      [server, client]
    ]) {
      for (const payload of payloads) {
        const compressed = await from.compress(payload, true);
        assert.ok((await to.decompress(compressed, true)).equals(payload));
      }
    }
  });
}

test('no context takeover: the same message, the same bytes', async (t) => {
  const [client, server] = agreed(t, 'client_no_context_takeover');
  const payload = Buffer.from('Hello');
  const first = await client.compress(payload, true);
  assert.deepStrictEqual(await client.compress(payload, true), first);
  for (let i = 0; i < 2; i++) {
    assert.deepStrictEqual(await server.decompress(first, true), payload);
  }
  const [one, two] = [await server.compress(payload, true), await server.compress(payload, true)];
  assert.notDeepStrictEqual(one, two);
});

test('fragments', async (t) => {
  const [client, server] = agreed(t);
  const parts = ['first ', 'second ', 'third'].map((part) => Buffer.from(part));
  const received = [];
  for (const [i, part] of parts.entries()) {
    const fin = i === 2;
    received.push(await server.decompress(await client.compress(part, fin), fin));
  }
  assert.strictEqual(String(Buffer.concat(received)), 'first second third');
});

test('what zlib compresses is understood, and the other way round', async (t) => {
  const [client, server] = agreed(t);
  const payload = Buffer.alloc(5000, 'abcdefgh');
  const deflated = zlib.deflateRawSync(payload, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
  assert.ok((await server.decompress(deflated.subarray(0, -4), true)).equals(payload));
  assert.ok(inflate(await client.compress(payload, true)).equals(payload));
});

test('a block that says that it is the last', async (t) => {
  const [, server] = agreed(t);
  for (const text of ['one', 'two']) {
    const whole = zlib.deflateRawSync(text);
    assert.strictEqual(String(await server.decompress(whole, true)), text);
  }
});

test('zlibDeflateOptions', async (t) => {
  const payload = Buffer.alloc(20000, 'abc');
  const sizes = [];
  for (const level of [0, 9]) {
    const [client] = agreed(t, '', { zlibDeflateOptions: { level } });
    sizes.push((await client.compress(payload, true)).length);
  }
  assert.ok(sizes[0] > 20000);
  assert.ok(sizes[1] < 200);
});

test('data that is no good', async (t) => {
  const [, server] = agreed(t);
  const failed = server.decompress(Buffer.from([0x06]), true);
  await assert.rejects(failed, { name: 'Error', code: 'Z_DATA_ERROR' });
  // and the next one is judged anew
  assert.strictEqual(String(await server.decompress(HELLO, true)), 'Hello');
});

test('maxPayload holds for what comes out', async (t) => {
  const [client, server] = agreed(t, '', { maxPayload: 1000 });
  const fits = await client.compress(Buffer.alloc(1000), true);
  assert.strictEqual((await server.decompress(fits, true)).length, 1000);
  const over = await client.compress(Buffer.alloc(100 << 20), true);
  await assert.rejects(server.decompress(over, true), {
    name: 'RangeError',
    code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
    message: 'Max payload size exceeded'
  });
});

test('cleanup() while something is compressed', async (t) => {
  const [{ deflate }] = agreed(t);
  const failed = new Promise((resolve) => deflate.compress(Buffer.alloc(1 << 20), true, resolve));
  deflate.cleanup();
  const { message } = await failed;
  assert.strictEqual(message, 'The deflate stream was closed while data was being processed');
});

test('one callback for two calls', async (t) => {
  const [{ deflate }] = agreed(t);
  const lengths = [];
  await new Promise((resolve) => {
    const callback = (err, data) => {
      if (lengths.push(data.length) === 2) resolve();
    };
    deflate.compress(Buffer.alloc(100), true, callback);
    deflate.compress(Buffer.alloc(100), true, callback);
  });
  assert.strictEqual(lengths.length, 2);
});

test('many at once', async (t) => {
  const all = Array.from({ length: 50 }, async (_, i) => {
    const [client, server] = agreed(t);
    const payload = Buffer.alloc(20000, `${i} `);
    return (await server.decompress(await client.compress(payload, true), true)).equals(payload);
  });
  assert.ok((await Promise.all(all)).every(Boolean));
});

/** A Receiver of a client that has agreed on the extension. */
function deflateReceiver(t, params, options) {
  const [{ deflate }] = agreed(t, params, options);
  return receiverOf({ extensions: { [NAME]: deflate }, ...options });
}

test('Receiver: compressed, plain and fragmented messages in order', async (t) => {
  const { receiver, log } = deflateReceiver(t);
  const [, server] = agreed(t);
  const whole = await server.compress('third, in two', true);
  const bytes = [
    frame(OP.TEXT, HELLO, { rsv1: true }),
    frame(OP.TEXT, 'plain'),
    frame(OP.PING, 'ping'),
    frame(OP.CLOSE, '')
  ];
  receiver.write(Buffer.concat(bytes));
  await until(() => log.some(([name]) => name === 'close'));
  assert.deepStrictEqual(
    log.map(([name, data]) => [name, Buffer.isBuffer(data) ? String(data) : data]),
    [
      ['message', 'Hello'],
      ['message', 'plain'],
      ['ping', 'ping'],
      ['conclude', 1005],
      ['finish', undefined],
      ['close', undefined]
    ]
  );

  const second = deflateReceiver(t);
  await write(
    second.receiver,
    Buffer.concat([
      frame(OP.TEXT, whole.subarray(0, 5), { rsv1: true, fin: false }),
      frame(OP.PONG, 'pong'),
      frame(OP.CONT, whole.subarray(5))
    ])
  );
  assert.deepStrictEqual(second.log, [
    ['pong', Buffer.from('pong')],
    ['message', Buffer.from('third, in two'), false]
  ]);
});

for (const [title, bytes, code] of [
  [
    'RSV1 of a continuation',
    [
      [OP.TEXT, HELLO, { rsv1: true, fin: false }],
      [OP.CONT, '', { rsv1: true }]
    ],
    'WS_ERR_UNEXPECTED_RSV_1'
  ],
  ['RSV1 of a ping', [[OP.PING, '', { rsv1: true }]], 'WS_ERR_UNEXPECTED_RSV_1'],
  ['bad data', [[OP.TEXT, [6], { rsv1: true }]], 'Z_DATA_ERROR']
]) {
  test(`Receiver: ${title}`, async (t) => {
    const { receiver, log } = deflateReceiver(t);
    const err = await write(receiver, Buffer.concat(bytes.map((args) => frame(...args))));
    assert.strictEqual(err.code, code);
    await until(() => log.some(([name]) => name === 'close'));
    assert.strictEqual(log.find(([name]) => name === 'error')[1], err);
  });
}

test('Receiver: bad UTF-8 and too long messages, after decompressing', async (t) => {
  const [, server] = agreed(t);
  const bad = await server.compress(Buffer.from([0xff]), true);
  const utf8 = deflateReceiver(t);
  const err = await write(utf8.receiver, frame(OP.TEXT, bad, { rsv1: true }));
  assert.strictEqual(err.code, 'WS_ERR_INVALID_UTF8');

  const [, other] = agreed(t);
  const long = await other.compress(Buffer.alloc(2000), true);
  const limited = deflateReceiver(t, '', { maxPayload: 1000 });
  const tooLong = await write(limited.receiver, frame(OP.BINARY, long, { rsv1: true }));
  assert.strictEqual(tooLong.code, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH');
});

/** A Sender of a server that has agreed on the extension. */
function deflateSender(t, params, options) {
  const [, { deflate }] = agreed(t, params, options);
  const sink = new Sink();
  return { sink, sender: new Sender(sink, { [NAME]: deflate }) };
}

const COMPRESS = { compress: true, fin: true, mask: false, binary: false };

test('Sender: compress, RSV1, and the order', async (t) => {
  const { sender, sink } = deflateSender(t);
  const order = [];
  sender.send('Hello', COMPRESS, () => order.push(1));
  sender.send('plain', { ...COMPRESS, compress: false }, () => order.push(2));
  sender.ping('p', false, () => order.push(3));
  sender.close(1000, '', false, () => order.push(4));
  await until(() => order.length === 4);
  assert.deepStrictEqual(order, [1, 2, 3, 4]);
  assert.deepStrictEqual(
    sink.frames.map(({ opcode, rsv1 }) => [opcode, rsv1]),
    [
      [OP.TEXT, true],
      [OP.TEXT, false],
      [OP.PING, false],
      [OP.CLOSE, false]
    ]
  );
  assert.strictEqual(String(inflate(sink.frames[0].payload)), 'Hello');
});

test('Sender: threshold applies without context takeover only', async (t) => {
  for (const [params, length, rsv1] of [
    ['', 10, true],
    ['server_no_context_takeover', 99, false],
    ['server_no_context_takeover', 100, true],
    ['client_no_context_takeover', 10, true]
  ]) {
    const { sender, sink } = deflateSender(t, params, { threshold: 100 });
    await new Promise((resolve) => sender.send('x'.repeat(length), COMPRESS, resolve));
    assert.strictEqual(sink.frames[0].rsv1, rsv1, `${params} ${length}`);
  }
});

test('Sender: the first fragment decides', async (t) => {
  for (const [first, rest, rsv1] of [
    [200, 5, true],
    [5, 200, false]
  ]) {
    const { sender, sink } = deflateSender(t, 'server_no_context_takeover', { threshold: 100 });
    sender.send('x'.repeat(first), { ...COMPRESS, fin: false });
    await new Promise((resolve) => sender.send('y'.repeat(rest), COMPRESS, resolve));
    assert.deepStrictEqual(
      sink.frames.map((sent) => [sent.opcode, sent.rsv1]),
      [
        [OP.TEXT, rsv1],
        [OP.CONT, false]
      ]
    );
  }
});

test('Sender to Receiver: messages of all sizes', async (t) => {
  const { sender, sink } = deflateSender(t);
  const { receiver, log } = deflateReceiver(t);
  const payloads = [0, 1, 125, 1000, 70000, 1 << 20].map((size) => randomBytes(size >> 1));
  for (const payload of payloads) {
    await new Promise((resolve) => sender.send(payload, { ...COMPRESS, binary: true }, resolve));
  }
  await write(receiver, sink.bytes);
  log.forEach(([, data, isBinary], i) => {
    assert.ok(isBinary && data.equals(payloads[i]));
  });
  assert.strictEqual(log.length, payloads.length);
});

test('Sender: a stream that is destroyed meanwhile', async (t) => {
  const { sender, sink } = deflateSender(t);
  const failed = new Promise((resolve) => sender.send('Hello', COMPRESS, resolve));
  assert.strictEqual(sender._bufferedBytes, 5);
  sink.destroy();
  assert.strictEqual(
    (await failed).message,
    'The socket was closed while data was being compressed'
  );
});

test('a masked compressed frame', async (t) => {
  const [, { deflate }] = agreed(t);
  const { receiver, log } = receiverOf({ isServer: true, extensions: { [NAME]: deflate } });
  await write(receiver, buildFrame({ opcode: OP.TEXT, payload: HELLO, rsv1: true, mask: true }));
  assert.deepStrictEqual(log, [['message', Buffer.from('Hello'), false]]);
});

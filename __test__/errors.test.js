'use strict';

const assert = require('node:assert');
const WebSocket = require('./support/impl');
const {
  connect,
  dial,
  echo,
  messages,
  once,
  record,
  serve,
  test,
  until
} = require('./support/helpers');
const { OP, buildFrame, closePayload, rawAcceptor, rawClient } = require('./support/raw-peer');

const INVALID = 'Invalid WebSocket frame: ';

// Rows: [title, code, status, class, message, frames]. A frame is an object for buildFrame; `mask`
// is filled in for the role under test.
const bad = (title, code, status, name, message, ...frames) => ({
  title,
  code,
  status,
  name,
  message,
  frames
});
const cases = [
  bad(
    'RSV2',
    'WS_ERR_UNEXPECTED_RSV_2_3',
    1002,
    'RangeError',
    `${INVALID}RSV2 and RSV3 must be clear`,
    {
      opcode: OP.TEXT,
      rsv2: true
    }
  ),
  bad(
    'RSV3',
    'WS_ERR_UNEXPECTED_RSV_2_3',
    1002,
    'RangeError',
    `${INVALID}RSV2 and RSV3 must be clear`,
    {
      opcode: OP.PING,
      rsv3: true
    }
  ),
  bad(
    'RSV1 on text',
    'WS_ERR_UNEXPECTED_RSV_1',
    1002,
    'RangeError',
    `${INVALID}RSV1 must be clear`,
    {
      opcode: OP.TEXT,
      rsv1: true,
      payload: 'x'
    }
  ),
  bad(
    'RSV1 on a ping',
    'WS_ERR_UNEXPECTED_RSV_1',
    1002,
    'RangeError',
    `${INVALID}RSV1 must be clear`,
    {
      opcode: OP.PING,
      rsv1: true
    }
  ),
  bad(
    'RSV1 on a continuation',
    'WS_ERR_UNEXPECTED_RSV_1',
    1002,
    'RangeError',
    `${INVALID}RSV1 must be clear`,
    { opcode: OP.TEXT, fin: false },
    { opcode: OP.CONT, rsv1: true }
  ),
  bad(
    'a continuation without a start',
    'WS_ERR_INVALID_OPCODE',
    1002,
    'RangeError',
    `${INVALID}invalid opcode 0`,
    { opcode: OP.CONT, payload: 'x' }
  ),
  ...[OP.TEXT, OP.BINARY].map((opcode) =>
    bad(
      `opcode ${opcode} inside a fragmented message`,
      'WS_ERR_INVALID_OPCODE',
      1002,
      'RangeError',
      `${INVALID}invalid opcode ${opcode}`,
      { opcode: OP.BINARY, fin: false, payload: 'a' },
      { opcode, payload: 'b' }
    )
  ),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) =>
    bad(
      `reserved opcode ${opcode}`,
      'WS_ERR_INVALID_OPCODE',
      1002,
      'RangeError',
      `${INVALID}invalid opcode ${opcode}`,
      { opcode }
    )
  ),
  ...[OP.CLOSE, OP.PING, OP.PONG].map((opcode) =>
    bad(
      `opcode ${opcode} without FIN`,
      'WS_ERR_EXPECTED_FIN',
      1002,
      'RangeError',
      `${INVALID}FIN must be set`,
      { opcode, fin: false }
    )
  ),
  ...[OP.CLOSE, OP.PING, OP.PONG].map((opcode) =>
    bad(
      `opcode ${opcode} with 126 bytes`,
      'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
      1002,
      'RangeError',
      `${INVALID}invalid payload length 126`,
      { opcode, payload: Buffer.alloc(126) }
    )
  ),
  bad(
    'a ping with a 64 bit length',
    'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
    1002,
    'RangeError',
    `${INVALID}invalid payload length 127`,
    { opcode: OP.PING, payload: 'x', lengthBytes: 8 }
  ),
  bad(
    'a close frame of one byte',
    'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
    1002,
    'RangeError',
    `${INVALID}invalid payload length 1`,
    { opcode: OP.CLOSE, payload: 'x' }
  ),
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535].map((code) =>
    bad(
      `close code ${code}`,
      'WS_ERR_INVALID_CLOSE_CODE',
      1002,
      'RangeError',
      `${INVALID}invalid status code ${code}`,
      { opcode: OP.CLOSE, payload: closePayload(code) }
    )
  ),
  ...[
    ['an overlong sequence', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a code point above U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['a lone continuation byte', [0x61, 0x80]],
    ['a truncated sequence', [0x61, 0xe2, 0x82]],
    ['a bad byte far in', [...Buffer.alloc(5000, 'a'), 0xff, ...Buffer.alloc(100, 'b')]]
  ].map(([title, bytes]) =>
    bad(
      `text with ${title}`,
      'WS_ERR_INVALID_UTF8',
      1007,
      'Error',
      `${INVALID}invalid UTF-8 sequence`,
      { opcode: OP.TEXT, payload: Buffer.from(bytes) }
    )
  ),
  bad(
    'text with a bad sequence across fragments',
    'WS_ERR_INVALID_UTF8',
    1007,
    'Error',
    `${INVALID}invalid UTF-8 sequence`,
    { opcode: OP.TEXT, fin: false, payload: Buffer.from([0x61, 0xe2]) },
    { opcode: OP.CONT, payload: Buffer.from([0x28, 0xa1]) }
  ),
  bad(
    'a close reason that is not UTF-8',
    'WS_ERR_INVALID_UTF8',
    1007,
    'Error',
    `${INVALID}invalid UTF-8 sequence`,
    { opcode: OP.CLOSE, payload: Buffer.concat([closePayload(1000), Buffer.from([0xff])]) }
  ),
  bad(
    'a length over 2^53 - 1',
    'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH',
    1009,
    'RangeError',
    'Unsupported WebSocket frame: payload length > 2^53 - 1',
    { opcode: OP.BINARY, length: 2n ** 53n }
  ),
  bad(
    'a length with the top bit set',
    'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH',
    1009,
    'RangeError',
    'Unsupported WebSocket frame: payload length > 2^53 - 1',
    { opcode: OP.BINARY, length: 2n ** 64n - 1n }
  ),
  bad(
    'a declared length over maxPayload',
    'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
    1009,
    'RangeError',
    'Max payload size exceeded',
    { opcode: OP.BINARY, length: 100001 }
  ),
  bad(
    'fragments that exceed maxPayload together',
    'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
    1009,
    'RangeError',
    'Max payload size exceeded',
    { opcode: OP.BINARY, fin: false, payload: Buffer.alloc(60000) },
    { opcode: OP.CONT, length: 40001 }
  ),
  bad(
    'more fragments than maxFragments',
    'WS_ERR_TOO_MANY_BUFFERED_PARTS',
    1008,
    'RangeError',
    'Too many message fragments',
    { opcode: OP.TEXT, fin: false, payload: 'a' },
    { opcode: OP.CONT, fin: false },
    { opcode: OP.CONT, fin: false, payload: 'c' },
    { opcode: OP.CONT, fin: false, payload: 'd' }
  )
];
const unmasked = bad(
  'a frame without a mask',
  'WS_ERR_EXPECTED_MASK',
  1002,
  'RangeError',
  `${INVALID}MASK must be set`,
  { opcode: OP.TEXT, payload: 'x', mask: false }
);
const masked = bad(
  'a masked frame',
  'WS_ERR_UNEXPECTED_MASK',
  1002,
  'RangeError',
  `${INVALID}MASK must be clear`,
  { opcode: OP.TEXT, payload: 'x', mask: true }
);
const OPTIONS = { maxPayload: 100000, maxFragments: 3 };

function wire(entry, mask) {
  return Buffer.concat(entry.frames.map((frame) => buildFrame({ mask, ...frame })));
}

/** The events of `ws`, with the order and states that the contract demands. */
function watch(ws) {
  const log = [];
  ws.on('message', (data) => log.push(['message', String(data)]));
  ws.on('ping', (data) => log.push(['ping', String(data)]));
  ws.on('error', (err) => log.push(['error', err, ws.readyState]));
  ws.on('close', (code, reason) => log.push(['close', code, String(reason), ws.readyState]));
  return log;
}

function checkLog(log, entry) {
  const error = log[1][1];
  assert.deepStrictEqual(log[0], ['message', 'before']);
  assert.strictEqual(log[1][0], 'error');
  assert.strictEqual(error.constructor.name, entry.name);
  assert.strictEqual(error.code, entry.code);
  assert.strictEqual(error.message, entry.message);
  assert.strictEqual(log[1][2], WebSocket.CLOSING, 'readyState in the error listener');
  assert.deepStrictEqual(log[2], ['close', 1006, '', WebSocket.CLOSED]);
  assert.strictEqual(log.length, 3);
}

for (const entry of [...cases, unmasked]) {
  test(`server: ${entry.title} -> ${entry.code}, ${entry.status}`, async (t) => {
    const wss = await serve(t, OPTIONS);
    const bystander = await connect(t, wss.testUrl);
    wss.clients.forEach(echo);
    const connection = once(wss, 'connection');
    const raw = await rawClient(t, wss.testPort);
    const [ws] = await connection;
    const log = watch(ws);
    // One packet: a good message, the bad frame, and a message that must not be delivered.
    const after = entry.title.includes('length') ? '' : raw.build(OP.TEXT, 'after');
    raw.write(Buffer.concat([raw.build(OP.TEXT, 'before'), wire(entry, true), Buffer.from(after)]));
    assert.strictEqual(await raw.closeFrame(), entry.status);
    assert.strictEqual((await raw.rest()).length, 0);
    await until(() => log.at(-1)?.[0] === 'close', "'close'");
    checkLog(log, entry);

    const echoed = messages(bystander, 1);
    bystander.send('others go on');
    assert.strictEqual(String((await echoed)[0][0]), 'others go on');
  });
}

test('client: the same rows', { timeout: 60000 }, async (t) => {
  const server = await rawAcceptor(t);
  for (const entry of [...cases, masked]) {
    await t.test(`${entry.title} -> ${entry.code}, ${entry.status}`, async (t) => {
      const client = dial(t, server.url, OPTIONS);
      const [raw] = await Promise.all([server.next(), once(client, 'open')]);
      const log = watch(client);
      raw.write(Buffer.concat([raw.build(OP.TEXT, 'before'), wire(entry, false)]));
      const frame = await raw.frame();
      assert.deepStrictEqual(
        [frame.opcode, frame.masked, frame.payload],
        [OP.CLOSE, true, closePayload(entry.status)]
      );
      assert.strictEqual((await raw.rest()).length, 0);
      await until(() => log.at(-1)?.[0] === 'close', "'close'");
      checkLog(log, entry);
    });
  }
});

test('delivered byte by byte the result is the same', { timeout: 60000 }, async (t) => {
  const wss = await serve(t, OPTIONS);
  for (const entry of [...cases, unmasked]) {
    const bytes = wire(entry, true);
    if (bytes.length > 2000) continue;
    const connection = once(wss, 'connection');
    const raw = await rawClient(t, wss.testPort);
    const [ws] = await connection;
    const log = watch(ws);
    raw.send(OP.TEXT, 'before');
    for (const byte of bytes) raw.write(Buffer.of(byte));
    assert.strictEqual(await raw.closeFrame(), entry.status, entry.title);
    await raw.end();
    await until(() => log.at(-1)?.[0] === 'close', "'close'");
    checkLog(log, entry);
  }
});

test('the close frame of the peer after our error is not looked at: 1006', async (t) => {
  const wss = await serve(t);
  const connection = once(wss, 'connection');
  const raw = await rawClient(t, wss.testPort);
  const [ws] = await connection;
  const log = watch(ws);
  raw.write(
    Buffer.concat([buildFrame({ opcode: 3, mask: true }), raw.build(OP.CLOSE, closePayload(1000))])
  );
  assert.strictEqual(await raw.closeFrame(), 1002);
  raw.send(OP.CLOSE, closePayload(1000));
  await until(() => log.at(-1)?.[0] === 'close', "'close'");
  assert.deepStrictEqual(
    log.map(([name, detail]) => [name, detail.code ?? detail]),
    [
      ['error', 'WS_ERR_INVALID_OPCODE'],
      ['close', 1006]
    ]
  );
});

test('an error after our own close(): no second close frame, error once, then close 1006', async (t) => {
  const wss = await serve(t);
  const connection = once(wss, 'connection');
  const raw = await rawClient(t, wss.testPort);
  const [ws] = await connection;
  const log = watch(ws);
  ws.close(1000);
  assert.strictEqual(await raw.closeFrame(), 1000);
  raw.write(buildFrame({ opcode: 3, mask: true }));
  assert.strictEqual((await raw.rest()).length, 0);
  await until(() => log.at(-1)?.[0] === 'close', "'close'");
  assert.strictEqual(log[0][1].code, 'WS_ERR_INVALID_OPCODE');
  assert.deepStrictEqual(log[1].slice(0, 2), ['close', 1006]);
});

test('an error without a listener is thrown as an uncaught exception', async (t) => {
  const wss = await serve(t);
  const connection = once(wss, 'connection');
  const raw = await rawClient(t, wss.testPort);
  const [ws] = await connection;
  const closed = once(ws, 'close');
  ws.removeAllListeners('error');
  const uncaught = new Promise((resolve) => {
    const previous = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (err) => {
      for (const listener of previous) process.on('uncaughtException', listener);
      resolve(err);
    });
  });
  raw.write(buildFrame({ opcode: 3, mask: true }));
  assert.strictEqual((await uncaught).code, 'WS_ERR_INVALID_OPCODE');
  assert.strictEqual((await closed)[0], 1006);
});

test('maxPayload: exactly the limit is delivered, 0 = off', async (t) => {
  for (const maxPayload of [1000, 0]) {
    const wss = await serve(t, { maxPayload }, echo);
    const client = await connect(t, wss.testUrl);
    client.send(Buffer.alloc(1000));
    assert.strictEqual((await messages(client, 1))[0][0].length, 1000);
    const events = record(client, ['close', 'message']);
    client.on('error', () => {});
    wss.clients.forEach((ws) => ws.on('error', () => {}));
    client.send(Buffer.alloc(1001));
    await until(() => events.length > 0);
    assert.strictEqual(events[0][0], maxPayload ? 'close' : 'message');
    if (maxPayload) assert.strictEqual(events[0][1], 1009);
  }
});

test('maxPayload counts each message anew, and control frames not at all', async (t) => {
  const wss = await serve(t, { maxPayload: 10 }, echo);
  const raw = await rawClient(t, wss.testPort);
  for (let i = 0; i < 5; i++) {
    raw.send(OP.TEXT, '12345', { fin: false });
    raw.send(OP.PING, 'a ping that is longer than ten');
    raw.send(OP.CONT, '67890');
    assert.strictEqual((await raw.frame()).opcode, OP.PONG);
    assert.strictEqual(String((await raw.frame()).payload), '1234567890');
  }
});

test('maxPayload is coerced to signed 32 bit: 2^32 and "12" and NaN', async (t) => {
  for (const [maxPayload, passes] of [
    [2 ** 32, true],
    [NaN, true],
    ['12', false]
  ]) {
    const wss = await serve(t, { maxPayload }, (ws) => {
      ws.on('error', () => {});
      echo(ws);
    });
    const raw = await rawClient(t, wss.testPort);
    raw.send(OP.BINARY, Buffer.alloc(13));
    assert.strictEqual((await raw.frame()).opcode, passes ? OP.BINARY : OP.CLOSE);
  }
});

test('maxFragments: exactly the limit is delivered; 0 = off', async (t) => {
  for (const maxFragments of [4, 0]) {
    const wss = await serve(t, { maxFragments }, (ws) => {
      ws.on('error', () => {});
      echo(ws);
    });
    const raw = await rawClient(t, wss.testPort);
    const message = (parts) =>
      Array.from({ length: parts }, (_, i) =>
        raw.build(i ? OP.CONT : OP.BINARY, '', { fin: i === parts - 1 })
      );
    raw.write(Buffer.concat(message(4)));
    assert.strictEqual((await raw.frame()).opcode, OP.BINARY);
    raw.write(Buffer.concat(message(5)));
    const frame = await raw.frame();
    assert.strictEqual(frame.opcode, maxFragments ? OP.CLOSE : OP.BINARY);
    if (maxFragments) assert.deepStrictEqual(frame.payload, closePayload(1008));
  }
});

test('skipUTF8Validation covers text and the close reason', async (t) => {
  const wss = await serve(t, { skipUTF8Validation: true });
  const connection = once(wss, 'connection');
  const raw = await rawClient(t, wss.testPort);
  const [ws] = await connection;
  const log = record(ws, ['message', 'error', 'close']);
  raw.send(OP.TEXT, Buffer.from([0xff, 0xfe]));
  raw.send(OP.CLOSE, Buffer.concat([closePayload(1000), Buffer.from([0xff])]));
  await until(() => log.length === 2);
  assert.deepStrictEqual(log, [
    ['message', Buffer.from([0xff, 0xfe]), false],
    ['close', 1000, Buffer.from([0xff])]
  ]);
});

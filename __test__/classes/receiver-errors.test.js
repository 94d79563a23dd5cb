'use strict';

const assert = require('node:assert');
const { Duplex } = require('node:stream');
const WebSocket = require('../support/impl');
const { hawserTest, record, test, until } = require('../support/helpers');
const { OP, closePayload, parseFrames } = require('../support/raw-peer');
const { binary, frame, more, receiverOf, text, write } = require('./support/receivers');

const INVALID = 'Invalid WebSocket frame: ';
const RSV1 = { code: 'WS_ERR_UNEXPECTED_RSV_1', text: `${INVALID}RSV1 must be clear` };
const RSV23 = { code: 'WS_ERR_UNEXPECTED_RSV_2_3', text: `${INVALID}RSV2 and RSV3 must be clear` };
const FIN = { code: 'WS_ERR_EXPECTED_FIN', text: `${INVALID}FIN must be set` };
const opcode = (value) => ({
  code: 'WS_ERR_INVALID_OPCODE',
  text: `${INVALID}invalid opcode ${value}`
});
const controlLength = (value) => ({
  code: 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
  text: `${INVALID}invalid payload length ${value}`
});
const closeCode = (value) => ({
  code: 'WS_ERR_INVALID_CLOSE_CODE',
  text: `${INVALID}invalid status code ${value}`
});
const UTF8 = {
  code: 'WS_ERR_INVALID_UTF8',
  text: `${INVALID}invalid UTF-8 sequence`,
  status: 1007,
  type: Error
};
const TOO_LONG = {
  code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
  text: 'Max payload size exceeded',
  status: 1009
};
const TOO_MANY = {
  code: 'WS_ERR_TOO_MANY_BUFFERED_PARTS',
  text: 'Too many message fragments',
  status: 1008
};
const BEYOND = {
  code: 'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH',
  text: 'Unsupported WebSocket frame: payload length > 2^53 - 1',
  status: 1009
};

const open = { fin: false };
const bad = Buffer.from([0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xcf, 0x83, 0xed, 0xa0, 0x80]);

// [title, bytes, the error, options]; sent to a client unless options say otherwise
const rows = [
  ['RSV1 of a text', text('a', { rsv1: true }), RSV1],
  ['RSV1 of a continuation', [text('a', open), more('b', { rsv1: true })], RSV1],
  ['RSV1 of a ping', frame(OP.PING, '', { rsv1: true }), RSV1],
  ['RSV2', text('a', { rsv2: true }), RSV23],
  ['RSV3', binary('a', { rsv3: true }), RSV23],
  ['RSV1 and RSV2: the latter first', text('a', { rsv1: true, rsv2: true }), RSV23],
  ['a continuation of nothing', more('a'), opcode(0)],
  ['a text within a message', [binary('a', open), text('b')], opcode(1)],
  ['a binary within a message', [text('a', open), binary('b')], opcode(2)],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((value) => [
    `opcode ${value}`,
    frame(value, ''),
    opcode(value)
  ]),
  ['a fragmented ping', frame(OP.PING, '', open), FIN],
  ['a fragmented pong', frame(OP.PONG, '', open), FIN],
  ['a fragmented close', frame(OP.CLOSE, '', open), FIN],
  ['a ping of 126 bytes', frame(OP.PING, Buffer.alloc(126)), controlLength(126)],
  ['a pong of 65536 bytes', frame(OP.PONG, Buffer.alloc(65536)), controlLength(127)],
  ['a close of 126 bytes', frame(OP.CLOSE, Buffer.alloc(126)), controlLength(126)],
  ['a close of 1 byte', frame(OP.CLOSE, 'a'), controlLength(1)],
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535].map((value) => [
    `close code ${value}`,
    frame(OP.CLOSE, closePayload(value)),
    closeCode(value)
  ]),
  ['bad UTF-8 in a text', text(bad), UTF8],
  ['bad UTF-8 over fragments', [text(bad.subarray(0, 8), open), more(bad.subarray(8))], UTF8],
  ['a text that ends within a character', text(Buffer.from([0x61, 0xe2, 0x82])), UTF8],
  [
    'fragments that end within a character',
    [text(Buffer.from([0xe2]), open), more(Buffer.from([0x82]))],
    UTF8
  ],
  ['bad UTF-8 in a close reason', frame(OP.CLOSE, [3, 232, 0xff]), UTF8],
  ['a length over 2^53 - 1', binary('', { length: 2n ** 53n }), BEYOND],
  ['a length of 2^64 - 1', binary('', { length: 2n ** 64n - 1n }), BEYOND],
  ['more than maxPayload', binary(Buffer.alloc(11)), TOO_LONG, { maxPayload: 10 }],
  [
    'more than maxPayload in fragments',
    [binary(Buffer.alloc(6), open), more(Buffer.alloc(5), open)],
    TOO_LONG,
    { maxPayload: 10 }
  ],
  ['maxPayload by the header', text('', { length: 5000 }), TOO_LONG, { maxPayload: 10 }],
  [
    'more than maxFragments',
    [text('', open), more('', open), more('', open)],
    TOO_MANY,
    { maxFragments: 2 }
  ],
  [
    'no mask for a server',
    text('a'),
    { code: 'WS_ERR_EXPECTED_MASK', text: `${INVALID}MASK must be set` },
    { isServer: true }
  ],
  [
    'a mask for a client',
    text('a', { mask: true }),
    { code: 'WS_ERR_UNEXPECTED_MASK', text: `${INVALID}MASK must be clear` }
  ]
];

for (const [title, bytes, expected, options] of rows) {
  const input = Buffer.concat([].concat(bytes));

  test(`${title}: ${expected.code}`, async () => {
    const { receiver, log } = receiverOf(options);
    const failed = await write(receiver, input);
    await until(() => log.some(([name]) => name === 'close'));
    assert.deepStrictEqual(
      log.map(([name]) => name),
      ['error', 'close']
    );
    const [[, err]] = log;
    assert.strictEqual(failed, err);
    assert.strictEqual(err.constructor, expected.type ?? RangeError);
    assert.strictEqual(err.code, expected.code);
    assert.strictEqual(err.message, expected.text);
    assert.strictEqual(receiver.destroyed, true);
  });

  test(`${title}: byte by byte`, async () => {
    const { receiver, log } = receiverOf(options);
    let failed;
    for (let i = 0; i < input.length && failed === undefined; i++) {
      failed = await write(receiver, input.subarray(i, i + 1));
    }
    assert.strictEqual(failed?.code, expected.code);
    await until(() => log.some(([name]) => name === 'close'));
    assert.strictEqual(log[0][1], failed);
  });

  test(`${title}: the close status of a WebSocket`, async (t) => {
    const sent = await closeFrameFor(t, input, options);
    assert.strictEqual(sent, expected.status ?? 1002);
  });
}

/** The status that a WebSocket over a Duplex closes with when it is sent `input`. */
async function closeFrameFor(t, input, { isServer = false, ...limits } = {}) {
  const written = [];
  const duplex = new Duplex({
    read() {},
    write(chunk, encoding, callback) {
      written.push(chunk);
      callback();
    }
  });
  t.after(() => duplex.destroy());
  const ws = new WebSocket(null, undefined, {});
  ws._isServer = isServer;
  const log = record(ws, ['error']);
  ws.setSocket(duplex, Buffer.alloc(0), { maxPayload: 0, ...limits });
  duplex.push(input);
  await until(() => parseFrames(Buffer.concat(written)).frames.length > 0, 'a close frame');
  const [{ opcode: sent, payload, masked }] = parseFrames(Buffer.concat(written)).frames;
  assert.deepStrictEqual([sent, masked], [OP.CLOSE, !isServer]);
  assert.strictEqual(log.length, 1);
  return payload.readUInt16BE(0);
}

test('what came before the error is delivered, what follows is not', async () => {
  const { receiver, log } = receiverOf();
  receiver.write(Buffer.concat([text('a'), frame(OP.PING, 'p'), frame(3, ''), text('b')]));
  await until(() => log.some(([name]) => name === 'close'));
  assert.deepStrictEqual(
    log.map(([name]) => name),
    ['message', 'ping', 'error', 'close']
  );
});

test('a write after an error fails', async () => {
  const { receiver, log } = receiverOf();
  await write(receiver, frame(3, ''));
  await until(() => log.some(([name]) => name === 'close'));
  const err = await write(receiver, text('late'));
  assert.ok(['ERR_STREAM_DESTROYED', 'WS_ERR_INVALID_OPCODE'].includes(err.code), err.code);
  assert.strictEqual(log.length, 2);
});

test('a write after a close frame fails', async () => {
  const { receiver, log } = receiverOf();
  receiver.write(frame(OP.CLOSE, ''));
  const err = await write(receiver, text('late'));
  assert.strictEqual(err.code, 'ERR_STREAM_WRITE_AFTER_END');
  assert.strictEqual(log[0][0], 'conclude');
});

test('maxPayload: as many bytes are good, for each message anew', async () => {
  const { receiver, log } = receiverOf({ maxPayload: 10 });
  const ten = Buffer.alloc(10);
  const bytes = [
    binary(ten),
    binary(ten.subarray(4), open),
    frame(OP.PING, Buffer.alloc(125)),
    more(ten.subarray(6)),
    binary(ten)
  ];
  assert.strictEqual(await write(receiver, Buffer.concat(bytes)), undefined);
  assert.strictEqual(log.filter(([name]) => name === 'message').length, 3);
});

test('maxPayload: 0, undefined and negative numbers are no limit', async () => {
  for (const maxPayload of [0, undefined, null, -1, 2 ** 32]) {
    const { receiver, log } = receiverOf({ maxPayload });
    await write(receiver, binary(Buffer.alloc(1 << 20)));
    assert.strictEqual(log[0][0], 'message', String(maxPayload));
  }
});

test('maxFragments: as many are good, for each message anew', async () => {
  const { receiver, log } = receiverOf({ maxFragments: 3 });
  const message = [text('a', open), more('', open), frame(OP.PING, ''), more('b')];
  assert.strictEqual(await write(receiver, Buffer.concat([...message, ...message])), undefined);
  assert.deepStrictEqual(
    log.map(([name]) => name),
    ['ping', 'message', 'ping', 'message']
  );
});

test('maxFragments: 0 and undefined are no limit', async () => {
  for (const maxFragments of [0, undefined]) {
    const { receiver, log } = receiverOf({ maxFragments });
    const parts = Array.from({ length: 20000 }, () => more('', open));
    await write(receiver, Buffer.concat([text('a', open), ...parts, more('b')]));
    assert.deepStrictEqual(log, [['message', Buffer.from('ab'), false]]);
  }
});

test('maxFragments: 1 allows no fragmentation', async () => {
  const { receiver, log } = receiverOf({ maxFragments: 1 });
  const err = await write(receiver, Buffer.concat([text('a'), text('a', open), more('b')]));
  assert.strictEqual(err.code, 'WS_ERR_TOO_MANY_BUFFERED_PARTS');
  assert.strictEqual(log[0][0], 'message');
});

hawserTest('maxBufferedChunks is accepted: a message is gathered in one buffer', async () => {
  const { receiver, log } = receiverOf({ maxBufferedChunks: 2 });
  const bytes = binary('abcdefghij');
  for (const byte of bytes) await write(receiver, Buffer.from([byte]));
  assert.deepStrictEqual(log, [['message', Buffer.from('abcdefghij'), true]]);
});

hawserTest('bad UTF-8 is an error before the end of the message', async () => {
  for (const bytes of [
    text(bad, open),
    Buffer.concat([
      text(bad.subarray(0, 8), open),
      frame(OP.PING, ''),
      more(bad.subarray(8), open)
    ]),
    text(bad, { length: 100 })
  ]) {
    const { receiver } = receiverOf();
    assert.strictEqual((await write(receiver, bytes)).code, 'WS_ERR_INVALID_UTF8');
  }
});

// ws throws here: it parses on behind the error
hawserTest('allowSynchronousEvents: false: chunks that wait behind an error', async () => {
  const { receiver, log } = receiverOf({ isServer: true, allowSynchronousEvents: false });
  const masked = { mask: true };
  receiver.write(text('first', masked));
  receiver.write(text(bad, masked));
  for (const byte of text('last', masked)) receiver.write(Buffer.from([byte]));
  await until(() => log.some(([name]) => name === 'close'));
  assert.deepStrictEqual(
    log.map(([name]) => name),
    ['message', 'error', 'close']
  );
  assert.strictEqual(log[1][1].code, 'WS_ERR_INVALID_UTF8');
});

test('an error of a listener is not swallowed', () => {
  const receiver = new WebSocket.Receiver();
  const reason = new Error('of a listener');
  receiver.on('message', () => {
    throw reason;
  });
  assert.throws(
    () => receiver.write(text('a')),
    (err) => err === reason
  );
});

'use strict';

// What a peer that has agreed on permessage-deflate must not send, and what it costs it.

const assert = require('node:assert');
const zlib = require('node:zlib');
const WebSocket = require('./support/impl');
const {
  connect,
  dial,
  echo,
  isWs,
  messages,
  once,
  serve,
  test,
  until
} = require('./support/helpers');
const { OP, closePayload, rawAcceptor, rawClient } = require('./support/raw-peer');
const {
  NAME,
  TAIL,
  Takeover,
  compressedFrame,
  deflateWire,
  deflated,
  inflated,
  offering,
  prose
} = require('./support/deflate');

const LIMIT = 10000;
const RSV1 = {
  name: 'RangeError',
  code: 'WS_ERR_UNEXPECTED_RSV_1',
  message: 'Invalid WebSocket frame: RSV1 must be clear',
  status: 1002
};
const RSV23 = {
  name: 'RangeError',
  code: 'WS_ERR_UNEXPECTED_RSV_2_3',
  message: 'Invalid WebSocket frame: RSV2 and RSV3 must be clear',
  status: 1002
};
const UTF8 = {
  name: 'Error',
  code: 'WS_ERR_INVALID_UTF8',
  message: 'Invalid WebSocket frame: invalid UTF-8 sequence',
  status: 1007
};
const TOO_LONG = {
  name: 'RangeError',
  code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
  message: 'Max payload size exceeded',
  status: 1009
};
const TOO_MANY = {
  name: 'RangeError',
  code: 'WS_ERR_TOO_MANY_BUFFERED_PARTS',
  message: 'Too many message fragments',
  status: 1008
};
const dataError = (message) => ({ name: 'Error', code: 'Z_DATA_ERROR', message, status: 1007 });

const hello = deflated('hello');
const bad = Buffer.from([0x61, 0xff]);
const compressed = { rsv1: true };
const start = { rsv1: true, fin: false };

// [title, the frames as [opcode, payload, options], the error]
const cases = [
  [
    'RSV1 of a continuation',
    [
      [OP.TEXT, hello, start],
      [OP.CONT, '', compressed]
    ],
    RSV1
  ],
  ['RSV1 of a ping', [[OP.PING, '', compressed]], RSV1],
  ['RSV1 of a pong', [[OP.PONG, 'x', compressed]], RSV1],
  ['RSV1 of a close frame', [[OP.CLOSE, closePayload(1000), compressed]], RSV1],
  ['RSV1 and RSV2', [[OP.TEXT, hello, { rsv1: true, rsv2: true }]], RSV23],
  ['RSV3', [[OP.BINARY, hello, { rsv3: true }]], RSV23],
  ['a reserved block type', [[OP.TEXT, [0x06], compressed]], dataError('invalid block type')],
  ['the same in binary', [[OP.BINARY, [0x06], compressed]], dataError('invalid block type')],
  [
    'plain text that says it is compressed',
    [[OP.TEXT, 'not compressed', compressed]],
    dataError('invalid block type')
  ],
  [
    'a stored block with a bad length',
    [[OP.TEXT, [0x00, 5, 0, 0, 0, 0x68], compressed]],
    dataError('invalid stored block lengths')
  ],
  [
    'a distance to before the start',
    [[OP.TEXT, [0xf2, 0x00, 0x11, 0x00, 0x00], compressed]],
    dataError('invalid distance too far back')
  ],
  [
    'too many codes',
    [[OP.TEXT, [0x05, 0xff, 0xff], compressed]],
    dataError('too many length or distance symbols')
  ],
  [
    'bad data in the second fragment',
    [
      [OP.TEXT, Buffer.concat([hello, TAIL]), start],
      [OP.CONT, [0x06]]
    ],
    dataError('invalid block type')
  ],
  [
    'bad data in the first fragment',
    [
      [OP.TEXT, [0x06], start],
      [OP.CONT, hello]
    ],
    dataError('invalid block type')
  ],
  ['bad UTF-8', [[OP.TEXT, deflated(bad), compressed]], UTF8],
  [
    'bad UTF-8 at the end of a long text',
    [[OP.TEXT, deflated(Buffer.concat([Buffer.from(prose(5000)), bad])), compressed]],
    UTF8
  ],
  [
    'bad UTF-8 across two fragments',
    [
      [OP.TEXT, Buffer.concat([deflated(Buffer.of(0xe2)), TAIL]), start],
      [OP.CONT, deflated('x')]
    ],
    UTF8
  ],
  [
    'a character that is cut off',
    [[OP.TEXT, deflated(Buffer.from('\u20ac').subarray(0, 2)), compressed]],
    UTF8
  ],
  ['one byte more than maxPayload', [[OP.TEXT, deflated(prose(LIMIT + 1)), compressed]], TOO_LONG],
  [
    'a thousand times maxPayload',
    [[OP.BINARY, deflated(Buffer.alloc(1000 * LIMIT)), compressed]],
    TOO_LONG
  ],
  [
    'fragments that are together longer than maxPayload',
    [
      [OP.BINARY, Buffer.concat([deflated(Buffer.alloc(LIMIT)), TAIL]), start],
      [OP.CONT, deflated('x')]
    ],
    TOO_LONG
  ],
  [
    'a frame that is longer than maxPayload on the wire',
    [[OP.BINARY, Buffer.alloc(LIMIT + 1), { rsv1: true }]],
    TOO_LONG
  ],
  [
    'too many fragments',
    [
      [OP.TEXT, hello, start],
      [OP.CONT, '', { fin: false }],
      [OP.CONT, '', { fin: false }],
      [OP.CONT, '', { fin: false }]
    ],
    TOO_MANY
  ]
];

/** Everything that `ws` tells, and its state then. */
function watch(ws) {
  const log = [];
  ws.on('message', (data) => log.push(['message', String(data)]));
  ws.on('error', (err) => log.push(['error', err, ws.readyState]));
  ws.on('close', (code, reason) => log.push(['close', code, String(reason), ws.readyState]));
  return log;
}

/** `ws` has delivered one message, then failed with `expected`; the peer was told the status. */
async function checkFailure(log, raw, { name, code, message, status }) {
  assert.strictEqual(await raw.closeFrame(), status);
  assert.strictEqual((await raw.rest()).length, 0);
  await until(() => log.at(-1)?.[0] === 'close', "'close'");
  const [first, [event, err, state], ...rest] = log;
  assert.deepStrictEqual(first, ['message', 'before']);
  assert.deepStrictEqual([event, state], ['error', WebSocket.CLOSING]);
  assert.deepStrictEqual([err.constructor.name, err.code, err.message], [name, code, message]);
  assert.deepStrictEqual(rest, [['close', 1006, '', WebSocket.CLOSED]]);
}

/** One packet: a good message, the bad frames, and a message that must not be delivered. */
function packet(raw, frames) {
  return Buffer.concat([
    compressedFrame(raw, OP.TEXT, 'before'),
    ...frames.map((args) => raw.build(...args)),
    compressedFrame(raw, OP.TEXT, 'after')
  ]);
}

const OPTIONS = { perMessageDeflate: true, maxPayload: LIMIT, maxFragments: 3 };

for (const [title, frames, expected] of cases) {
  test(`server: ${title} -> ${expected.code}, ${expected.status}`, async (t) => {
    const wss = await serve(t, OPTIONS);
    const bystander = await connect(t, wss.testUrl);
    wss.clients.forEach(echo);
    const connection = once(wss, 'connection');
    const raw = await rawClient(t, wss.testPort, offering(`${NAME}; client_no_context_takeover`));
    const [ws] = await connection;
    const log = watch(ws);
    raw.write(packet(raw, frames));
    await checkFailure(log, raw, expected);

    const echoed = messages(bystander, 1);
    bystander.send('others go on');
    assert.strictEqual(String((await echoed)[0][0]), 'others go on');
  });
}

test('client: the same rows', { timeout: 60000 }, async (t) => {
  const answer = `Sec-WebSocket-Extensions: ${NAME}; server_no_context_takeover`;
  const server = await rawAcceptor(t, [answer]);
  for (const [title, frames, expected] of cases) {
    await t.test(`${title} -> ${expected.code}, ${expected.status}`, async (t) => {
      const client = dial(t, server.url, OPTIONS);
      const [raw] = await Promise.all([server.next(), once(client, 'open')]);
      const log = watch(client);
      raw.write(packet(raw, frames));
      await checkFailure(log, raw, expected);
    });
  }
});

for (const [title, perMessageDeflate, request] of [
  ['the server has the option and the client did not offer', true, {}],
  ['the server has not', false, offering(NAME)]
]) {
  test(`RSV1 without an agreement: ${title}`, async (t) => {
    const wss = await serve(t, { perMessageDeflate });
    const connection = once(wss, 'connection');
    const raw = await rawClient(t, wss.testPort, request);
    const [ws] = await connection;
    const log = watch(ws);
    raw.send(OP.TEXT, 'before');
    raw.write(compressedFrame(raw, OP.TEXT, 'x'));
    await checkFailure(log, raw, RSV1);
  });
}

test('RSV1 without an agreement: the server did not take the offer up', async (t) => {
  const server = await rawAcceptor(t);
  const client = dial(t, server.url);
  const [raw] = await Promise.all([server.next(), once(client, 'open')]);
  const log = watch(client);
  raw.send(OP.TEXT, 'before');
  raw.write(compressedFrame(raw, OP.TEXT, 'x'));
  await checkFailure(log, raw, RSV1);
});

test('maxPayload counts what comes out, of each message anew; 0 = off', async (t) => {
  for (const [maxPayload, size, count] of [
    [LIMIT, LIMIT, 5],
    [0, 1 << 20, 2]
  ]) {
    const { ws, raw } = await deflateWire(t, 'server', { maxPayload });
    const history = new Takeover();
    const got = messages(ws, 2 * count);
    for (let i = 0; i < count; i++) {
      raw.send(OP.TEXT, history.deflate(prose(size)), { rsv1: true });
      const [one, two] = [prose(size >> 1), 'x'.repeat(size - (size >> 1))];
      raw.send(OP.TEXT, Buffer.concat([history.deflate(one), TAIL]), { rsv1: true, fin: false });
      raw.send(OP.CONT, history.deflate(two));
    }
    for (const [data] of await got) assert.strictEqual(data.length, size);
  }
});

test('skipUTF8Validation holds for compressed text too', async (t) => {
  const { ws, raw } = await deflateWire(t, 'server', { skipUTF8Validation: true });
  const got = messages(ws, 1);
  raw.write(compressedFrame(raw, OP.TEXT, bad));
  assert.deepStrictEqual(await got, [[bad, false]]);
});

test('bad UTF-8 in a binary message is no error', async (t) => {
  const { ws, raw } = await deflateWire(t, 'server');
  const got = messages(ws, 1);
  raw.write(compressedFrame(raw, OP.BINARY, bad));
  assert.deepStrictEqual(await got, [[bad, true]]);
});

test('a bomb of 256 MiB takes no more than maxPayload', async (t) => {
  const piece = Buffer.concat([deflated(Buffer.alloc(4 << 20)), TAIL]);
  const bomb = Buffer.concat([...Array(64).fill(piece), deflated('end')]);
  assert.ok(bomb.length < 300 * 1024);
  const { ws, raw } = await deflateWire(t, 'server', { maxPayload: 1 << 20 });
  const failed = new Promise((resolve) => ws.on('error', resolve));
  const before = process.memoryUsage.rss();
  raw.send(OP.BINARY, bomb, { rsv1: true });
  assert.strictEqual((await failed).code, TOO_LONG.code);
  const grown = process.memoryUsage.rss() - before;
  assert.ok(grown < 100 << 20, `${grown >> 20} MiB`);
  assert.strictEqual(await raw.closeFrame(), 1009);
});

test('many bombs at once; the others go on', async (t) => {
  const wss = await serve(t, { ...OPTIONS, maxPayload: 1 << 20 }, (ws) => {
    ws.on('error', () => {});
    echo(ws);
  });
  const bystander = await connect(t, wss.testUrl);
  const bomb = deflated(Buffer.alloc(16 << 20));
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      const raw = await rawClient(t, wss.testPort, offering(NAME));
      raw.send(OP.BINARY, bomb, { rsv1: true });
      assert.strictEqual(await raw.closeFrame(), 1009);
      const echoed = messages(bystander, 1);
      bystander.send(prose(1000));
      assert.strictEqual(String((await echoed)[0][0]), prose(1000));
    })
  );
});

/** What zlib makes of a payload: its data, or the code of its error. */
function verdict(payload) {
  try {
    return inflated(payload).toString('hex');
  } catch (err) {
    return err.code;
  }
}

/** Whether a block with BFINAL ends the stream before the payload ends. */
function endsEarly(payload) {
  const stream = Buffer.concat([payload, TAIL]);
  try {
    const { engine } = zlib.inflateRawSync(stream, {
      finishFlush: zlib.constants.Z_SYNC_FLUSH,
      info: true
    });
    return engine.bytesWritten < stream.length;
  } catch {
    return false;
  }
}

/** Whether one more byte behind the tail is read as part of a block, and not as the start of one. */
function endsWithinBlock(payload) {
  if (payload.length === 0) return false;
  const probe = Buffer.from([0x01, 0x01, 0x00, 0xfe, 0xff, 0x21]);
  // the last block of the stream, stored, with the byte "!"
  const whole = inflatedTo(Buffer.concat([payload, TAIL, probe]));
  const before = verdict(payload);
  return whole !== `${before}21`;
}

function inflatedTo(stream) {
  try {
    return zlib.inflateRawSync(stream).toString('hex');
  } catch (err) {
    return err.code;
  }
}

/** What a server does with it: the data of its echo, or the code of its error. */
async function outcome(t, wss, payload) {
  const connection = once(wss, 'connection');
  const raw = await rawClient(t, wss.testPort, offering(NAME));
  const [ws] = await connection;
  const result = new Promise((resolve) => {
    ws.on('error', (err) => resolve(err.code));
    ws.on('message', (data) => resolve(data.toString('hex')));
  });
  raw.send(OP.BINARY, payload, { rsv1: true });
  const value = await result;
  if (value === 'Z_DATA_ERROR') assert.strictEqual(await raw.closeFrame(), 1007);
  raw.destroy();
  return value;
}

const samples = {
  'dynamic codes': deflated(prose(700)),
  'fixed codes': deflated('hello, hello, hello', { strategy: zlib.constants.Z_FIXED }),
  'stored blocks': deflated(prose(60), { level: 0 }),
  'two blocks': Buffer.concat([deflated('one one one'), TAIL, deflated(prose(200))])
};

for (const [title, sample] of Object.entries(samples)) {
  test(`${title}, cut and changed: what zlib says to it`, async (t) => {
    const wss = await serve(t, { perMessageDeflate: true });
    const payloads = [];
    const step = Math.ceil(sample.length / 20);
    for (let at = 0; at < sample.length; at += step) {
      payloads.push(sample.subarray(0, at));
      const changed = Buffer.from(sample);
      changed[at] ^= 1 << (at % 8);
      payloads.push(changed);
    }
    for (const payload of payloads) {
      const value = await outcome(t, wss, payload);
      // what follows a block with BFINAL is another stream to hawser, and nothing to ws
      if (!isWs && endsEarly(payload)) continue;
      // what ends within a block is data to zlib, as far as it goes, and to ws
      if (!isWs && endsWithinBlock(payload)) assert.match(value, /^Z_(BUF|DATA)_ERROR$/);
      else assert.strictEqual(value, verdict(payload), payload.toString('hex'));
    }
  });
}

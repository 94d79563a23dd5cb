'use strict';

const assert = require('node:assert');
const { connect, echo, messages, serve, test, turn } = require('./support/helpers');
const {
  OP,
  buildFrame,
  closePayload,
  rawClient,
  rawConnect,
  upgradeRequest
} = require('./support/raw-peer');
const { TCP } = require('./support/carriers');
const { expectedOutput } = require('./support/oracle');

const LIMITS = { maxPayload: 300, maxFragments: 6 };
const BATCH = 40;

/** mulberry32: the corpus is the same in every run. */
function prng(seed) {
  const next = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (n) => Math.floor(next() * n);
  return { below, pick: (list) => list[below(list.length)] };
}

const TEXTS = ['', 'a', 'hello', 'grüße', '€'.repeat(20), 'x'.repeat(125), 'y'.repeat(126)];
const BAD_UTF8 = ['ff', 'c0af', '61eda080', 'f4908080', '80', 'e282', '6161f8'].map((hex) =>
  Buffer.from(hex, 'hex')
);

function goodFrames(random) {
  const mask = random.pick([true, Buffer.from([0, 0, 0, 0]), Buffer.from('abcd')]);
  const text = random.pick(TEXTS);
  switch (random.below(5)) {
    case 0:
      return [buildFrame({ opcode: OP.TEXT, payload: text, mask })];
    case 1:
      return [buildFrame({ opcode: OP.BINARY, payload: Buffer.alloc(random.below(200), 7), mask })];
    case 2:
      return [buildFrame({ opcode: OP.PING, payload: text.slice(0, 20), mask })];
    case 3:
      return [buildFrame({ opcode: OP.PONG, payload: '', mask })];
    default:
      return [
        buildFrame({ opcode: OP.TEXT, fin: false, payload: text, mask }),
        buildFrame({ opcode: OP.PING, payload: 'mid', mask }),
        buildFrame({ opcode: OP.CONT, payload: 'end', mask })
      ];
  }
}

// Each class with the status that it must be answered with.
const classes = {
  'RSV bits': [
    1002,
    (r) => [
      buildFrame({
        opcode: r.pick([0, 1, 2, 8, 9, 10]),
        mask: true,
        ...r.pick([{ rsv1: true }, { rsv2: true }, { rsv3: true }])
      })
    ]
  ],
  'a reserved opcode': [
    1002,
    (r) => [buildFrame({ opcode: r.pick([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), mask: true })]
  ],
  'a lone continuation': [1002, () => [buildFrame({ opcode: OP.CONT, payload: 'x', mask: true })]],
  'a message inside a message': [
    1002,
    (r) => [
      buildFrame({ opcode: OP.BINARY, fin: false, payload: 'a', mask: true }),
      buildFrame({ opcode: r.pick([1, 2]), fin: r.pick([true, false]), mask: true })
    ]
  ],
  'a fragmented control frame': [
    1002,
    (r) => [buildFrame({ opcode: r.pick([8, 9, 10]), fin: false, mask: true })]
  ],
  'a long control frame': [
    1002,
    (r) => [
      buildFrame({
        opcode: r.pick([8, 9, 10]),
        payload: Buffer.alloc(126 + r.below(50)),
        mask: true
      })
    ]
  ],
  'no mask': [
    1002,
    (r) => [buildFrame({ opcode: r.pick([1, 2, 8, 9, 10]), payload: 'xy', mask: false })]
  ],
  'a bad close frame': [
    1002,
    (r) => [
      buildFrame({
        opcode: OP.CLOSE,
        payload: r.pick([Buffer.from('x'), closePayload(r.pick([0, 999, 1005, 1015, 2999, 5000]))]),
        mask: true
      })
    ]
  ],
  'bad UTF-8 in text': [
    1007,
    (r) => [buildFrame({ opcode: OP.TEXT, payload: r.pick(BAD_UTF8), mask: true })]
  ],
  'bad UTF-8 in fragments': [
    1007,
    (r) => [
      buildFrame({ opcode: OP.TEXT, fin: false, payload: 'ok', mask: true }),
      buildFrame({ opcode: OP.CONT, payload: r.pick(BAD_UTF8), mask: true })
    ]
  ],
  'bad UTF-8 in a close reason': [
    1007,
    (r) => [
      buildFrame({
        opcode: OP.CLOSE,
        payload: Buffer.concat([closePayload(1000), r.pick(BAD_UTF8)]),
        mask: true
      })
    ]
  ],
  'too long': [
    1009,
    (r) => [
      buildFrame({
        opcode: r.pick([1, 2]),
        length: r.pick([301n, 65535n, 65536n, 2n ** 31n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]),
        mask: true
      })
    ]
  ],
  'too long in fragments': [
    1009,
    (r) => [
      buildFrame({ opcode: OP.BINARY, fin: false, payload: Buffer.alloc(200), mask: true }),
      buildFrame({ opcode: OP.CONT, length: 101 + r.below(1000), mask: true })
    ]
  ],
  'too many fragments': [
    1008,
    (r) =>
      Array.from({ length: 7 }, (_, i) =>
        buildFrame({
          opcode: i ? OP.CONT : OP.BINARY,
          fin: false,
          payload: r.pick(['', 'x']),
          mask: true
        })
      )
  ]
};

/** A few good frames, then mutated: flipped bits, dropped, doubled, inserted and cut bytes. */
function mutated(random) {
  const frames = Array.from({ length: 1 + random.below(3) }, () => goodFrames(random)).flat();
  let bytes = Buffer.concat([...frames, buildFrame({ opcode: OP.CLOSE, mask: true })]);
  for (let i = 1 + random.below(4); i > 0; i--) {
    const at = random.below(bytes.length);
    const head = bytes.subarray(0, at);
    switch (random.below(5)) {
      case 0:
        bytes = Buffer.concat([head, bytes.subarray(at + 1)]);
        break;
      case 1:
        bytes = Buffer.concat([head, Buffer.of(random.below(256)), bytes.subarray(at)]);
        break;
      case 2:
        bytes = Buffer.concat([head, bytes.subarray(at, at + 5), bytes.subarray(at)]);
        break;
      default:
        bytes = Buffer.from(bytes);
        bytes[at] ^= 1 << random.below(8);
    }
    if (bytes.length === 0) bytes = Buffer.of(0);
  }
  return bytes;
}

/** The ways in which one input reaches the server. */
async function deliver(peer, bytes, mode, random) {
  if (mode === 'whole') {
    peer.write(bytes);
    return;
  }
  for (let at = 0; at < bytes.length && !peer.ended;) {
    const step = mode === 'bytes' ? 1 : 1 + random.below(40);
    peer.write(bytes.subarray(at, at + step));
    at += step;
    if (mode === 'pieces' || at < 12) await turn();
  }
}
const MODES = ['whole', 'bytes', 'pieces'];

async function inBatches(list, run) {
  for (let at = 0; at < list.length; at += BATCH) {
    await Promise.all(list.slice(at, at + BATCH).map(run));
  }
}

async function target(t) {
  const errors = [];
  const wss = await serve(t, LIMITS, (ws) => {
    ws.on('error', (err) => errors.push(err));
    echo(ws);
  });
  const bystander = await connect(t, wss.testUrl);
  const check = async () => {
    const got = messages(bystander, 1);
    bystander.send('bystander');
    assert.strictEqual(String((await got)[0][0]), 'bystander');
  };
  return { wss, check, errors, port: wss.testPort };
}

async function outputOf(t, port, bytes, mode, random) {
  const peer = await rawClient(t, port);
  await deliver(peer, bytes, mode, random);
  // A FIN after the input: what is incomplete stays unanswered.
  peer.socket.end();
  const output = (await peer.rest()).toString('hex');
  peer.destroy();
  return output;
}

test(
  '700 frames of known classes, three deliveries: the exact close code each time',
  { timeout: 60000, carriers: TCP },
  async (t) => {
    const { check, errors, port } = await target(t);
    const random = prng(6455);
    const list = [];
    for (const [name, [status, make]] of Object.entries(classes)) {
      for (let i = 0; i < 50; i++) {
        const before = i % 2 ? goodFrames(random) : [];
        const bytes = Buffer.concat([...before, ...make(random)]);
        const good = expectedOutput(Buffer.concat(before), LIMITS)[0];
        const close = buildFrame({ opcode: OP.CLOSE, payload: closePayload(status) });
        list.push({ name, bytes, status, expected: good + close.toString('hex') });
      }
    }
    for (const mode of MODES) {
      await inBatches(list, async ({ name, bytes, expected }) => {
        // The model must agree with the class before it may judge the mutations below.
        assert.ok(expectedOutput(bytes, LIMITS).includes(expected), `model: ${name}`);
        const output = await outputOf(t, port, bytes, mode, random);
        assert.strictEqual(output, expected, `${name}, ${mode}: ${bytes.toString('hex')}`);
      });
      await check();
    }
    assert.strictEqual(errors.length, list.length * MODES.length);
    assert.ok(errors.every((err) => /^WS_ERR_/.test(err.code)));
  }
);

test(
  '1,000 mutated streams, three deliveries: what RFC 6455 says, byte for byte',
  { timeout: 60000, carriers: TCP },
  async (t) => {
    const { check, port } = await target(t);
    const random = prng(20111211);
    const list = Array.from({ length: 1000 }, () => mutated(random));
    for (const mode of MODES) {
      await inBatches(list, async (bytes) => {
        const expected = expectedOutput(bytes, LIMITS);
        const output = await outputOf(t, port, bytes, mode, random);
        assert.ok(
          expected.includes(output),
          `${mode}: ${bytes.toString('hex')}\n got ${output}\nwant ${expected.join('\n  or ')}`
        );
      });
      await check();
    }
  }
);

function mutatedRequest(random) {
  let text = upgradeRequest({
    path: random.pick(['/', '/a?b', '*', '//', '/\u00e9', '/a b', '']),
    headers: {
      'Sec-WebSocket-Protocol': random.pick([null, 'a, b', ',', 'a b', '\u00ff', 'a'.repeat(2000)]),
      'Sec-WebSocket-Extensions': random.pick([null, 'x', ';;', '"', 'permessage-deflate; a="\\"']),
      Origin: random.pick([null, '', 'null', '\u0001'])
    }
  });
  const tokens = [
    '\r',
    '\n',
    '\r\n',
    '\0',
    ':',
    ' ',
    '\t',
    ',',
    '\u00ff',
    'Upgrade',
    '%',
    'HTTP/9.9'
  ];
  for (let i = random.below(4); i >= 0; i--) {
    const at = random.below(text.length);
    const lines = text.split('\r\n');
    switch (random.below(5)) {
      case 0:
        text = text.slice(0, at) + text.slice(at + 1 + random.below(6));
        break;
      case 1:
        text = text.slice(0, at) + random.pick(tokens) + text.slice(at);
        break;
      case 2:
        lines.splice(random.below(lines.length - 2), 1);
        text = lines.join('\r\n');
        break;
      case 3:
        lines.splice(1, 0, random.pick(lines));
        text = lines.join('\r\n');
        break;
      default:
        text = text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at + 1);
    }
  }
  return Buffer.from(text, 'latin1');
}

test(
  '500 mutated requests, three deliveries: a status or the end, the same each time',
  { timeout: 60000, carriers: TCP },
  async (t) => {
    const { check, port } = await target(t);
    const random = prng(9110);
    const list = Array.from({ length: 500 }, () => ({
      bytes: mutatedRequest(random),
      seen: new Set()
    }));
    const tally = {};
    for (const mode of MODES) {
      await inBatches(list, async ({ bytes, seen }) => {
        const peer = await rawConnect(t, port);
        await deliver(peer, bytes, mode, random);
        peer.socket.end();
        const text = (await peer.rest()).toString('latin1');
        peer.destroy();
        if (text === '') return;
        const [, status] = /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n/.exec(text) ?? [];
        assert.match(String(status), /^(101|4\d\d|505)$/, `${mode}: ${bytes.toString('latin1')}`);
        tally[status] = (tally[status] ?? 0) + 1;
        seen.add(status);
        assert.ok(seen.size === 1, `${mode}, ${[...seen]}: ${bytes.toString('latin1')}`);
      });
      await check();
    }
    assert.ok(tally[101] > 0 && tally[400] > 0 && tally[426] > 0, JSON.stringify(tally));
  }
);

'use strict';

// Compressed messages from a raw peer: what is delivered. RFC 7692 sections 7.2.2 and 7.2.3.

const assert = require('node:assert');
const { randomBytes } = require('node:crypto');
const zlib = require('node:zlib');
const { hawserTest, messages, once, record, test, turn, until } = require('./support/helpers');
const { OP, closePayload } = require('./support/raw-peer');
const {
  TAIL,
  Takeover,
  compressedFrame,
  deflateWire,
  deflated,
  deflater,
  prose
} = require('./support/deflate');

const bytes = (hex) => Buffer.from(hex.replaceAll(' ', ''), 'hex');

/** One test for a WebSocket of each role. */
function eachRole(title, fn) {
  for (const role of ['server', 'client']) test(`${role}: ${title}`, (t) => fn(t, role));
}

eachRole('the examples of the RFC', async (t, role) => {
  const { ws, raw } = await deflateWire(t, role);
  const got = messages(ws, 8);
  const rsv1 = { rsv1: true };
  // 7.2.3.1: in one frame, and in two
  raw.send(OP.TEXT, bytes('f2 48 cd c9 c9 07 00'), rsv1);
  raw.send(OP.TEXT, bytes('f2 48 cd'), { rsv1: true, fin: false });
  raw.send(OP.CONT, bytes('c9 c9 07 00'));
  // 7.2.3.2: with the window of the message before
  raw.send(OP.TEXT, bytes('f2 00 11 00 00'), rsv1);
  // 7.2.3.3: a block without compression
  raw.send(OP.TEXT, bytes('00 05 00 fa ff 48 65 6c 6c 6f 00'), rsv1);
  // 7.2.3.5: two blocks
  raw.send(OP.TEXT, bytes('f2 48 05 00 00 00 ff ff ca c9 c9 07 00'), rsv1);
  // 7.2.3.6: an empty fragment
  raw.send(OP.TEXT, bytes('00'), rsv1);
  // 7.2.3.4: a block with BFINAL
  raw.send(OP.TEXT, bytes('f3 48 cd c9 c9 07 00 00'), rsv1);
  raw.send(OP.TEXT, bytes('f2 48 cd c9 c9 07 00'), rsv1);
  assert.deepStrictEqual(
    (await got).map(([data, isBinary]) => [String(data), isBinary]),
    ['Hello', 'Hello', 'Hello', 'Hello', 'Hello', '', 'Hello', 'Hello'].map((text) => [text, false])
  );
});

eachRole('blocks with BFINAL: the next message begins anew', async (t, role) => {
  const { ws, raw } = await deflateWire(t, role);
  const texts = [prose(10), prose(3000), '', prose(100000), 'end'];
  const got = messages(ws, texts.length + 1);
  for (const text of texts) raw.send(OP.TEXT, zlib.deflateRawSync(text), { rsv1: true });
  raw.write(compressedFrame(raw, OP.TEXT, 'without'));
  assert.deepStrictEqual(
    (await got).map(([data]) => String(data)),
    [...texts, 'without']
  );
});

eachRole('a block with BFINAL in the last fragment', async (t, role) => {
  const { ws, raw } = await deflateWire(t, role);
  const got = messages(ws, 2);
  for (let i = 0; i < 2; i++) {
    raw.send(OP.TEXT, Buffer.concat([deflated('one '), TAIL]), { rsv1: true, fin: false });
    raw.send(OP.CONT, zlib.deflateRawSync('two'));
  }
  assert.deepStrictEqual(
    (await got).map(([data]) => String(data)),
    ['one two', 'one two']
  );
});

// ws loses the second fragment.
hawserTest('blocks with BFINAL, one in each fragment', async (t) => {
  const { ws, raw } = await deflateWire(t, 'server');
  const got = messages(ws, 1);
  raw.send(OP.TEXT, zlib.deflateRawSync('one '), { rsv1: true, fin: false });
  raw.send(OP.CONT, zlib.deflateRawSync('two '), { fin: false });
  raw.send(OP.CONT, deflated('three'));
  assert.strictEqual(String((await got)[0][0]), 'one two three');
});

eachRole('compressed and plain messages, with control frames', async (t, role) => {
  const { ws, raw } = await deflateWire(t, role);
  const log = record(ws, ['message', 'ping', 'pong', 'close']);
  const history = new Takeover();
  const text = prose(2000);
  raw.write(
    Buffer.concat([
      raw.build(OP.TEXT, history.deflate(text), { rsv1: true }),
      raw.build(OP.TEXT, 'plain'),
      raw.build(OP.PING, 'ping'),
      raw.build(OP.BINARY, history.deflate(text), { rsv1: true }),
      raw.build(OP.PONG, 'pong'),
      raw.build(OP.TEXT, ''),
      raw.build(OP.TEXT, history.deflate('last'), { rsv1: true }),
      raw.build(OP.CLOSE, closePayload(1000))
    ])
  );
  await until(() => log.at(-1)?.[0] === 'close', "'close'");
  assert.deepStrictEqual(
    log.map(([name, data, isBinary]) => [name, String(data), isBinary]).slice(0, -1),
    [
      ['message', text, false],
      ['message', 'plain', false],
      ['ping', 'ping', undefined],
      ['message', text, true],
      ['pong', 'pong', undefined],
      ['message', '', false],
      ['message', 'last', false]
    ]
  );
});

eachRole('fragments of every size, with pings between them', async (t, role) => {
  const { ws, raw } = await deflateWire(t, role, { autoPong: false });
  const history = new Takeover();
  const text = `gr\u00fc\u00dfe, ${prose(600)} \u20ac`;
  for (const step of [1, 2, 7, 100, 1000]) {
    const payload = history.deflate(text);
    const log = record(ws, ['message', 'ping']);
    const list = [];
    for (let at = 0; at < payload.length; at += step) {
      const fin = at + step >= payload.length;
      const part = payload.subarray(at, at + step);
      list.push(raw.build(at ? OP.CONT : OP.TEXT, part, { fin, rsv1: at === 0 }));
      if (!fin) list.push(raw.build(OP.PING, String(at)));
    }
    raw.write(Buffer.concat(list));
    await until(() => log.some(([name]) => name === 'message'));
    assert.strictEqual(log.length, Math.ceil(payload.length / step));
    assert.deepStrictEqual(log.at(-1), ['message', Buffer.from(text), false]);
    ws.removeAllListeners('message').removeAllListeners('ping');
  }
});

eachRole('empty fragments', async (t, role) => {
  const { ws, raw } = await deflateWire(t, role);
  const payload = deflated('text');
  const got = messages(ws, 2);
  raw.send(OP.TEXT, '', { rsv1: true, fin: false });
  raw.send(OP.CONT, payload.subarray(0, 3), { fin: false });
  raw.send(OP.CONT, '', { fin: false });
  raw.send(OP.CONT, payload.subarray(3), { fin: false });
  raw.send(OP.CONT, '');
  raw.send(OP.TEXT, 'plain');
  assert.deepStrictEqual(
    (await got).map(([data]) => String(data)),
    ['text', 'plain']
  );
});

eachRole('bytes that arrive one by one', async (t, role) => {
  const { ws, raw } = await deflateWire(t, role);
  const got = messages(ws, 2);
  const whole = Buffer.concat([
    compressedFrame(raw, OP.TEXT, prose(300)),
    raw.build(OP.TEXT, 'plain')
  ]);
  for (let at = 0; at < whole.length; at++) {
    raw.write(whole.subarray(at, at + 1));
    if (at % 16 === 0) await turn();
  }
  assert.deepStrictEqual(
    (await got).map(([data]) => String(data)),
    [prose(300), 'plain']
  );
});

for (const [role, params] of [
  ['server', 'client_no_context_takeover'],
  ['client', 'server_no_context_takeover']
]) {
  test(`${role}: the peer has no context takeover: each message stands alone`, async (t) => {
    const { ws, raw } = await deflateWire(t, role, { params });
    const got = messages(ws, 3);
    for (const text of [prose(5000), 'short', prose(5000)]) {
      raw.write(compressedFrame(raw, OP.TEXT, text));
    }
    assert.deepStrictEqual(
      (await got).map(([data]) => String(data)),
      [prose(5000), 'short', prose(5000)]
    );
  });
}

for (const bits of [9, 10, 12, 15]) {
  for (const role of ['server', 'client']) {
    test(`${role}: the peer has a window of ${bits} bits`, async (t) => {
      const params = `${role === 'server' ? 'client' : 'server'}_max_window_bits=${bits}`;
      const { ws, raw } = await deflateWire(t, role, { params });
      // each message begins with what stood in the first half of the window of the one before
      const block = randomBytes((1 << bits) - 300);
      const deflate = deflater(t, { windowBits: bits });
      const got = messages(ws, 3);
      for (let i = 0; i < 3; i++) {
        const piece = await deflate(block);
        if (i > 0) assert.ok(piece.length < block.length / 2, 'refers to the message before');
        raw.send(OP.BINARY, piece.subarray(0, -TAIL.length), { rsv1: true });
      }
      for (const [data] of await got) assert.ok(data.equals(block));
    });
  }
}

test('binaryType: compressed messages in one frame and in three', async (t) => {
  const { ws, raw } = await deflateWire(t, 'server');
  const deflate = deflater(t);
  const parts = [prose(3000), prose(70000), prose(5)];
  const whole = Buffer.from(parts.join(''));
  for (const [binaryType, check] of [
    ['nodebuffer', (data) => assert.ok(Buffer.isBuffer(data) && data.equals(whole))],
    [
      'arraybuffer',
      (data) => {
        assert.ok(data instanceof ArrayBuffer);
        assert.strictEqual(data.byteLength, whole.length);
        assert.ok(Buffer.from(data).equals(whole));
      }
    ],
    [
      'blob',
      async (data) => {
        assert.ok(data instanceof Blob);
        assert.ok(Buffer.from(await data.arrayBuffer()).equals(whole));
      }
    ],
    [
      'fragments',
      (data, count) => {
        assert.ok(data.every(Buffer.isBuffer));
        const expected = count === 1 ? [whole] : parts.map((part) => Buffer.from(part));
        assert.deepStrictEqual(data, expected);
      }
    ]
  ]) {
    ws.binaryType = binaryType;
    const got = messages(ws, 4);
    raw.send(OP.BINARY, (await deflate(whole)).subarray(0, -TAIL.length), { rsv1: true });
    for (const [i, part] of parts.entries()) {
      const payload = await deflate(part);
      if (i < 2) raw.send(i ? OP.CONT : OP.BINARY, payload, { rsv1: i === 0, fin: false });
      else raw.send(OP.CONT, payload.subarray(0, -TAIL.length));
    }
    raw.send(OP.BINARY, (await deflate('')).subarray(0, -TAIL.length), { rsv1: true });
    raw.send(OP.TEXT, (await deflate('text')).subarray(0, -TAIL.length), { rsv1: true });
    const [[one], [three], [empty], [text]] = await got;
    await check(one, 1);
    await check(three, 3);
    assert.strictEqual(empty.length ?? empty.byteLength ?? empty.size, 0);
    assert.deepStrictEqual(text, Buffer.from('text'));
  }
});

test('each payload is its own and stays unchanged', async (t) => {
  const { ws, raw } = await deflateWire(t, 'server');
  const history = new Takeover();
  const send = (data) => raw.send(OP.BINARY, history.deflate(data), { rsv1: true });
  const sent = [1, 20, 100, 1000, 5000, 70000, 300000].map((size) => randomBytes(size));
  const got = messages(ws, sent.length);
  sent.forEach(send);
  const received = (await got).map(([data]) => data);
  received[2].fill(0xff);
  const more = messages(ws, 100);
  for (let i = 0; i < 100; i++) send(Buffer.alloc(1000, i));
  await more;
  received.forEach((data, i) => {
    if (i !== 2) assert.ok(data.equals(sent[i]), `message ${i}`);
  });
});

test('addEventListener: text is a string', async (t) => {
  const { ws, raw } = await deflateWire(t, 'client');
  const event = new Promise((resolve) => ws.addEventListener('message', resolve, { once: true }));
  raw.write(compressedFrame(raw, OP.TEXT, 'gr\u00fc\u00dfe'));
  assert.strictEqual((await event).data, 'gr\u00fc\u00dfe');
});

test('a text may be split within a character, and its fragments compressed apart', async (t) => {
  const { ws, raw } = await deflateWire(t, 'server');
  const euro = Buffer.from('\u20ac');
  const got = once(ws, 'message');
  const first = Buffer.concat([deflated(euro.subarray(0, 1)), TAIL]);
  raw.send(OP.TEXT, first, { rsv1: true, fin: false });
  raw.send(OP.CONT, deflated(euro.subarray(1)));
  assert.strictEqual(String((await got)[0]), '\u20ac');
});

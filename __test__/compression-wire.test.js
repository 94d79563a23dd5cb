'use strict';

// Compressed messages as a raw peer sees them: RFC 7692 section 7.2. What is expected of the
// server's side of a connection is expected of the client's.

const assert = require('node:assert');
const { randomBytes } = require('node:crypto');
const { echo, messages, test } = require('./support/helpers');
const { OP } = require('./support/raw-peer');
const { Takeover, compressedFrame, deflateWire, inflated, prose } = require('./support/deflate');

const ROLES = ['server', 'client'];

/** One test for each role, in which `role` is that of the WebSocket. */
function eachRole(title, fn) {
  for (const role of ROLES) test(`${role}: ${title}`, (t) => fn(t, role));
}

/** The next `count` frames. */
async function frames(raw, count) {
  const list = [];
  while (list.length < count) list.push(await raw.frame());
  return list;
}

eachRole('each size there and back, with context takeover both ways', async (t, role) => {
  const { ws, raw } = await deflateWire(t, role);
  echo(ws);
  const there = new Takeover();
  const back = new Takeover();
  for (const size of [0, 1, 125, 126, 1023, 1024, 65535, 65536, 1 << 20]) {
    for (const [opcode, data] of [
      [OP.TEXT, Buffer.from(prose(size))],
      [OP.BINARY, randomBytes(size)]
    ]) {
      raw.send(opcode, there.deflate(data), { rsv1: true });
      const frame = await raw.frame();
      assert.deepStrictEqual(
        [frame.fin, frame.rsv1, frame.rsv2, frame.rsv3, frame.opcode, frame.masked],
        [true, true, false, false, opcode, role === 'client']
      );
      assert.ok(back.inflate(frame.payload).equals(data), `opcode ${opcode}, ${size} bytes`);
    }
  }
});

eachRole('each size there and back, without context takeover', async (t, role) => {
  const params = 'server_no_context_takeover; client_no_context_takeover';
  const { ws, raw } = await deflateWire(t, role, { params });
  echo(ws);
  for (const size of [1024, 65535, 65536, 1 << 20]) {
    const data = Buffer.from(prose(size));
    raw.write(compressedFrame(raw, OP.TEXT, data));
    const frame = await raw.frame();
    assert.strictEqual(frame.rsv1, true);
    assert.ok(frame.payload.length < size / 2);
    assert.ok(inflated(frame.payload).equals(data), `${size} bytes`);
  }
});

eachRole('whatever can be sent can be sent compressed', async (t, role) => {
  const { ws, raw } = await deflateWire(t, role);
  const history = new Takeover();
  const { buffer } = Uint8Array.from([1, 2, 3]);
  for (const [data, opcode, expected] of [
    ['gr\u00fc\u00dfe', OP.TEXT, Buffer.from('gr\u00fc\u00dfe')],
    [12.5, OP.TEXT, Buffer.from('12.5')],
    [Buffer.from('bytes'), OP.BINARY, Buffer.from('bytes')],
    [buffer, OP.BINARY, Buffer.from([1, 2, 3])],
    [new Uint8Array(buffer, 1), OP.BINARY, Buffer.from([2, 3])],
    [new DataView(buffer, 2), OP.BINARY, Buffer.from([3])],
    [[4, 5], OP.BINARY, Buffer.from([4, 5])],
    [new Blob(['blob']), OP.BINARY, Buffer.from('blob')],
    [undefined, OP.BINARY, Buffer.alloc(0)]
  ]) {
    ws.send(data);
    const frame = await raw.frame();
    assert.deepStrictEqual([frame.rsv1, frame.opcode], [true, opcode]);
    assert.deepStrictEqual(history.inflate(frame.payload), expected);
  }
});

eachRole('the memory of the caller stays as it is', async (t, role) => {
  const { ws, raw } = await deflateWire(t, role);
  for (const size of [5, 2000, 200000]) {
    const data = randomBytes(size);
    const copy = Buffer.from(data);
    ws.send(data);
    await raw.frame();
    assert.ok(data.equals(copy));
  }
});

eachRole('an empty message is the byte 00, whatever came before', async (t, role) => {
  const { ws, raw } = await deflateWire(t, role);
  ws.send('');
  ws.send(Buffer.alloc(0));
  ws.send('text');
  ws.send('');
  const payloads = (await frames(raw, 4)).map(({ rsv1, payload }) => [rsv1, [...payload]]);
  for (const i of [0, 1, 3]) assert.deepStrictEqual(payloads[i], [true, [0]]);
});

eachRole('context takeover: a repeated message is short', async (t, role) => {
  for (const params of [
    undefined,
    `${role === 'server' ? 'client' : 'server'}_no_context_takeover`
  ]) {
    const { ws, raw } = await deflateWire(t, role, { params });
    const data = randomBytes(4000);
    ws.send(data);
    ws.send(data);
    const [first, second] = await frames(raw, 2);
    assert.ok(first.payload.length >= data.length);
    assert.ok(second.payload.length < 200, `${second.payload.length} bytes`);
    const history = new Takeover();
    assert.ok(history.inflate(first.payload).equals(data));
    assert.ok(history.inflate(second.payload).equals(data));
  }
});

eachRole('no context takeover: a repeated message is the same', async (t, role) => {
  const { ws, raw } = await deflateWire(t, role, { params: `${role}_no_context_takeover` });
  ws.send(prose(4000));
  ws.send(prose(2000));
  ws.send(prose(4000));
  const [first, second, third] = await frames(raw, 3);
  assert.ok(first.rsv1 && second.rsv1 && third.rsv1);
  assert.deepStrictEqual(third.payload, first.payload);
  assert.strictEqual(String(inflated(second.payload)), prose(2000));
});

// 1,000 random bytes twice: only a window of more than that has the first when the second comes.
for (const [bits, fits] of [
  [9, false],
  [11, true],
  [15, true]
]) {
  eachRole(`it compresses within a window of ${bits} bits`, async (t, role) => {
    const { ws, raw } = await deflateWire(t, role, { params: `${role}_max_window_bits=${bits}` });
    const block = randomBytes(1000);
    ws.send(Buffer.concat([block, block]));
    const { payload } = await raw.frame();
    assert.strictEqual(payload.length < 1100, fits, `${payload.length} bytes`);
    assert.ok(inflated(payload).equals(Buffer.concat([block, block])));
  });
}

eachRole('compress: false, and what is compressed after it', async (t, role) => {
  const { ws, raw } = await deflateWire(t, role);
  const history = new Takeover();
  ws.send(prose(3000));
  ws.send(prose(9000), { compress: false });
  ws.send(prose(3000), { compress: true });
  ws.send('short', { compress: undefined });
  const [first, second, third, fourth] = await frames(raw, 4);
  assert.deepStrictEqual(
    [first.rsv1, second.rsv1, third.rsv1, fourth.rsv1],
    [true, false, true, false]
  );
  assert.strictEqual(String(history.inflate(first.payload)), prose(3000));
  assert.strictEqual(String(second.payload), prose(9000));
  assert.strictEqual(String(history.inflate(third.payload)), prose(3000));
  assert.strictEqual(String(fourth.payload), 'short');
});

eachRole('what does not shrink', async (t, role) => {
  const data = randomBytes(5000);
  const taken = await deflateWire(t, role);
  taken.ws.send(data);
  const first = await taken.raw.frame();
  // the next message may refer to it
  assert.strictEqual(first.rsv1, true);
  assert.ok(first.payload.length > data.length);
  assert.ok(inflated(first.payload).equals(data));

  const alone = await deflateWire(t, role, { params: `${role}_no_context_takeover` });
  alone.ws.send(data);
  const { rsv1, payload } = await alone.raw.frame();
  assert.ok((rsv1 ? inflated(payload) : payload).equals(data));
});

eachRole('zlibDeflateOptions', async (t, role) => {
  const lengths = [];
  for (const zlibDeflateOptions of [{ level: 0 }, { level: 1 }, { level: 9, memLevel: 9 }]) {
    const { ws, raw } = await deflateWire(t, role, { perMessageDeflate: { zlibDeflateOptions } });
    ws.send(prose(100000));
    const { rsv1, payload } = await raw.frame();
    assert.strictEqual(rsv1, true);
    assert.strictEqual(String(inflated(payload)), prose(100000));
    lengths.push(payload.length);
  }
  assert.ok(lengths[0] > 100000 && lengths[1] < 50000 && lengths[2] < lengths[1], `${lengths}`);
});

eachRole('threshold: only without context takeover, and in bytes', async (t, role) => {
  const own = `${role}_no_context_takeover`;
  const other = `${role === 'server' ? 'client' : 'server'}_no_context_takeover`;
  for (const [threshold, params, data, rsv1] of [
    [undefined, own, prose(1023), false],
    [undefined, own, prose(1024), true],
    [undefined, own, '\u00e9'.repeat(511), false],
    [undefined, own, '\u00e9'.repeat(512), true],
    [undefined, undefined, 'x', true],
    [undefined, other, 'x', true],
    [100, own, prose(99), false],
    [100, own, prose(100), true],
    [100, other, prose(99), true],
    [0, own, 'a'.repeat(20), true],
    [Infinity, own, prose(100000), false]
  ]) {
    const { ws, raw } = await deflateWire(t, role, { params, perMessageDeflate: { threshold } });
    ws.send(data, { compress: true });
    const frame = await raw.frame();
    const title = `threshold ${threshold}, ${params}, ${data.length}`;
    assert.strictEqual(frame.rsv1, rsv1, title);
    assert.strictEqual(String(rsv1 ? inflated(frame.payload) : frame.payload), data, title);
  }
});

eachRole('fragments: RSV1 stands on the first', async (t, role) => {
  const { ws, raw } = await deflateWire(t, role);
  const history = new Takeover();
  for (const parts of [
    [prose(3000), prose(2000), '', prose(10)],
    ['', 'a', ''],
    ['', '']
  ]) {
    parts.forEach((part, i) => ws.send(part, { fin: i === parts.length - 1 }));
    const list = await frames(raw, parts.length);
    assert.deepStrictEqual(
      list.map(({ fin, rsv1, opcode }) => [fin, rsv1, opcode]),
      parts.map((_, i) => [i === parts.length - 1, i === 0, i === 0 ? OP.TEXT : OP.CONT])
    );
    const whole = Buffer.concat(list.map(({ payload }) => payload));
    assert.strictEqual(String(history.inflate(whole)), parts.join(''));
  }
});

eachRole('fragments: the first one decides', async (t, role) => {
  const params = `${role}_no_context_takeover`;
  const [long, short] = [prose(2000), prose(20)];
  for (const [first, options, rest, rsv1] of [
    [short, {}, long, false],
    [long, {}, short, true],
    [long, { compress: false }, long, false],
    [long, { compress: true }, long, true]
  ]) {
    const { ws, raw } = await deflateWire(t, role, { params });
    ws.send(first, { ...options, fin: false });
    ws.send(rest, { compress: !rsv1, fin: true });
    const list = await frames(raw, 2);
    assert.deepStrictEqual(
      list.map((frame) => [frame.rsv1, frame.opcode]),
      [
        [rsv1, OP.TEXT],
        [false, OP.CONT]
      ]
    );
    const whole = Buffer.concat(list.map(({ payload }) => payload));
    assert.strictEqual(String(rsv1 ? inflated(whole) : whole), first + rest);
  }
});

eachRole('control frames are never compressed, and stand between fragments', async (t, role) => {
  const { ws, raw } = await deflateWire(t, role);
  const got = messages(ws, 1);
  raw.write(compressedFrame(raw, OP.TEXT, 'hello'));
  await got;
  ws.send(prose(3000), { fin: false });
  ws.ping('p'.repeat(125));
  ws.send(prose(2000), { fin: false });
  ws.pong('q'.repeat(125));
  ws.send(prose(1000));
  ws.close(1000, 'r'.repeat(100));
  const list = await frames(raw, 6);
  assert.deepStrictEqual(
    list.map(({ opcode, rsv1 }) => [opcode, rsv1]),
    [
      [OP.TEXT, true],
      [OP.PING, false],
      [OP.CONT, false],
      [OP.PONG, false],
      [OP.CONT, false],
      [OP.CLOSE, false]
    ]
  );
  assert.strictEqual(String(list[1].payload), 'p'.repeat(125));
  assert.strictEqual(String(list[3].payload), 'q'.repeat(125));
  const whole = [0, 2, 4].map((i) => list[i].payload);
  assert.strictEqual(
    String(inflated(Buffer.concat(whole))),
    prose(3000) + prose(2000) + prose(1000)
  );
});

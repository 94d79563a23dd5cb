'use strict';

const assert = require('node:assert');
const { messages, once, pair, record, test, turn, until } = require('./support/helpers');
const { OP } = require('./support/raw-peer');
const { clientAndWire, serverAndWire } = require('./support/wire');

const BIG = { name: 'RangeError', message: 'The data size must not be greater than 125 bytes' };

for (const method of ['ping', 'pong']) {
  const opcode = method === 'ping' ? OP.PING : OP.PONG;

  test(`${method}(): data of every kind on the wire; an empty payload without data`, async (t) => {
    const { client, raw } = await clientAndWire(t);
    const cases = [
      [[], ''],
      [[undefined], ''],
      [[null], ''],
      [[''], ''],
      [['text'], 'text'],
      [[Buffer.from('buf')], 'buf'],
      [[Uint8Array.from([0x61])], 'a'],
      [[Uint8Array.from([0x62]).buffer], 'b'],
      [[0], '0'],
      [[12.5], '12.5'],
      [['x'.repeat(125)], 'x'.repeat(125)],
      [[() => {}], '']
    ];
    for (const [args, payload] of cases) {
      client[method](...args);
      const frame = await raw.frame();
      assert.deepStrictEqual([frame.fin, frame.opcode, frame.masked], [true, opcode, true]);
      assert.strictEqual(String(frame.payload), payload);
    }
  });

  test(`${method}(): over 125 bytes is a RangeError, synchronously, counted in bytes`, async (t) => {
    const { client, raw } = await clientAndWire(t);
    for (const data of ['x'.repeat(126), 'é'.repeat(63), Buffer.alloc(126)]) {
      assert.throws(() => client[method](data), BIG);
      assert.throws(() => client[method](data, undefined, () => assert.fail('no callback')), BIG);
    }
    client.send('still open');
    assert.strictEqual(String((await raw.frame()).payload), 'still open');
  });

  test(`${method}(data, mask, cb): the callback in each position`, async (t) => {
    const { client, raw } = await clientAndWire(t);
    const called = (fn) => new Promise((resolve) => fn((...args) => resolve(args)));
    assert.ok(!(await called((cb) => client[method](cb)))[0]);
    assert.ok(!(await called((cb) => client[method]('a', cb)))[0]);
    assert.ok(!(await called((cb) => client[method]('b', false, cb)))[0]);
    assert.strictEqual(String((await raw.frame()).payload), '');
    assert.strictEqual(String((await raw.frame()).payload), 'a');
    const unmasked = await raw.frame();
    assert.deepStrictEqual([String(unmasked.payload), unmasked.masked], ['b', false]);
  });

  test(`'${method}' has the payload as a Buffer of its own, on both ends`, async (t) => {
    const { client, peer } = await pair(t, { autoPong: false }, { autoPong: false });
    for (const [from, to] of [
      [client, peer],
      [peer, client]
    ]) {
      const got = once(to, method);
      from[method](Buffer.from('payload'));
      const [data] = await got;
      assert.ok(Buffer.isBuffer(data));
      const next = once(to, method);
      from[method](Buffer.from('another'));
      await next;
      assert.strictEqual(String(data), 'payload');
      const empty = once(to, method);
      from[method]();
      assert.deepStrictEqual(await empty, [Buffer.alloc(0)]);
    }
  });
}

test('autoPong: a ping is answered with its payload, masked by a client', async (t) => {
  const { raw } = await serverAndWire(t);
  raw.send(OP.PING, 'server');
  const first = await raw.frame();
  assert.deepStrictEqual(
    [first.opcode, String(first.payload), first.masked],
    [OP.PONG, 'server', false]
  );
  const client = await clientAndWire(t);
  client.raw.send(OP.PING, 'client');
  const second = await client.raw.frame();
  assert.deepStrictEqual(
    [second.opcode, String(second.payload), second.masked],
    [OP.PONG, 'client', true]
  );
});

test("autoPong: the pong goes out before 'ping' is emitted", async (t) => {
  const { ws, raw } = await serverAndWire(t);
  ws.on('ping', () => ws.send('from the listener'));
  raw.send(OP.PING, 'x');
  assert.strictEqual((await raw.frame()).opcode, OP.PONG);
  assert.strictEqual(String((await raw.frame()).payload), 'from the listener');
});

test('autoPong: pongs keep their place between the replies to messages', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  ws.on('message', (data) => ws.send(data, { binary: false }));
  raw.write(
    Buffer.concat([
      raw.build(OP.TEXT, '1'),
      raw.build(OP.PING, '2'),
      raw.build(OP.TEXT, '3'),
      raw.build(OP.PING, '4')
    ])
  );
  const seen = [];
  for (let i = 0; i < 4; i++) {
    const { opcode, payload } = await raw.frame();
    seen.push([opcode, String(payload)]);
  }
  assert.deepStrictEqual(seen, [
    [OP.TEXT, '1'],
    [OP.PONG, '2'],
    [OP.TEXT, '3'],
    [OP.PONG, '4']
  ]);
});

test("autoPong: false; 'ping' is emitted and the listener may answer", async (t) => {
  const { ws, raw } = await serverAndWire(t, { autoPong: false });
  const pings = record(ws, ['ping']);
  raw.send(OP.PING, 'unanswered');
  await until(() => pings.length === 1);
  ws.on('ping', (data) => ws.pong(`own ${data}`));
  raw.send(OP.PING, 'x');
  const frame = await raw.frame();
  assert.deepStrictEqual([frame.opcode, String(frame.payload)], [OP.PONG, 'own x']);

  const client = await clientAndWire(t, { autoPong: false });
  const got = once(client.client, 'ping');
  client.raw.send(OP.PING, 'x');
  await got;
  client.client.send('first frame');
  assert.strictEqual((await client.raw.frame()).opcode, OP.TEXT);
});

test('no pong after close() was called', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const pings = record(ws, ['ping']);
  ws.close(1000);
  assert.strictEqual(await raw.closeFrame(), 1000);
  raw.send(OP.PING, 'late');
  raw.send(OP.CLOSE, '');
  assert.strictEqual((await raw.rest()).length, 0);
  await until(() => pings.length === 1);
});

test('a pong without a ping is fine', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const got = once(ws, 'pong');
  raw.send(OP.PONG, 'unsolicited');
  assert.deepStrictEqual(await got, [Buffer.from('unsolicited')]);
});

test('ping() and the pong of the peer', async (t) => {
  const { client, peer } = await pair(t);
  for (const [from, text] of [
    [client, 'c'],
    [peer, 's']
  ]) {
    const pong = once(from, 'pong');
    from.ping(text);
    assert.deepStrictEqual(await pong, [Buffer.from(text)]);
  }
});

test('events of messages, pings and pongs keep their order', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const log = record(ws, ['message', 'ping', 'pong', 'close']);
  const bytes = [];
  for (let i = 0; i < 50; i++) {
    bytes.push(
      raw.build(OP.TEXT, `m${i}`),
      raw.build(OP.PING, `p${i}`),
      raw.build(OP.PONG, `q${i}`)
    );
  }
  raw.write(Buffer.concat([...bytes, raw.build(OP.CLOSE, '')]));
  await until(() => log.at(-1)?.[0] === 'close');
  const expected = [];
  for (let i = 0; i < 50; i++) expected.push(`message m${i}`, `ping p${i}`, `pong q${i}`);
  assert.deepStrictEqual(
    log.slice(0, -1).map(([name, data]) => `${name} ${data}`),
    expected
  );
});

test('1,000 pings at once: a pong for each, in order', async (t) => {
  const { raw } = await serverAndWire(t, { maxPendingAutoPongs: 0 });
  raw.write(Buffer.concat(Array.from({ length: 1000 }, (_, i) => raw.build(OP.PING, `${i}`))));
  for (let i = 0; i < 1000; i++) {
    const { opcode, payload } = await raw.frame();
    assert.strictEqual(opcode, OP.PONG);
    assert.strictEqual(String(payload), String(i));
  }
});

test(
  'maxPendingAutoPongs: a peer that never reads is terminated',
  { timeout: 60000 },
  async (t) => {
    const { ws, raw } = await serverAndWire(t);
    const closed = once(ws, 'close', 50000);
    raw.socket.pause();
    const burst = Buffer.concat(Array(5000).fill(raw.build(OP.PING, 'x'.repeat(125))));
    // Pongs pile up once the buffers of the kernel are full; then 60 may wait.
    for (let i = 0; i < 100 && ws.readyState === 1; i++) {
      raw.write(burst);
      for (let k = 0; k < 3; k++) await turn();
    }
    assert.strictEqual((await closed)[0], 1006);
  }
);

test('control frames are not counted as messages', async (t) => {
  const { client, peer } = await pair(t);
  const got = messages(peer, 1);
  client.ping('a');
  client.pong('b');
  client.send('message');
  assert.deepStrictEqual(await got, [[Buffer.from('message'), false]]);
});

test('ping() and pong() of a Blob', async (t) => {
  const { client, peer } = await pair(t);
  const got = record(peer, ['ping', 'pong', 'message']);
  client.ping(new Blob(['one']));
  client.pong(new Blob(['two']));
  client.send('three');
  await until(() => got.length === 3);
  assert.deepStrictEqual(
    got.map(([name, data]) => [name, String(data)]),
    [
      ['ping', 'one'],
      ['pong', 'two'],
      ['message', 'three']
    ]
  );
  assert.throws(() => client.ping(new Blob([Buffer.alloc(126)])), RangeError);
});

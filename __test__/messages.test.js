'use strict';

const assert = require('node:assert');
const { randomBytes } = require('node:crypto');
const vm = require('node:vm');
const {
  connect,
  dial,
  echo,
  messages,
  once,
  pair,
  serve,
  test,
  turn
} = require('./support/helpers');
const { OP, buildFrame, rawClient } = require('./support/raw-peer');
const { clientAndWire } = require('./support/wire');

const SIZES = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 16 << 20];

test('send: a string is text and everything else binary', async (t) => {
  const { client, raw: peer } = await clientAndWire(t);
  const shared = new Uint8Array(new SharedArrayBuffer(3));
  shared.set([7, 8, 9]);
  const bytes = Uint8Array.from([0, 1, 2, 3, 4, 5]);
  const cases = [
    ['string', 'grüße', OP.TEXT, Buffer.from('grüße')],
    ['empty string', '', OP.TEXT, Buffer.alloc(0)],
    ['Buffer', Buffer.from('buf'), OP.BINARY, Buffer.from('buf')],
    ['empty Buffer', Buffer.alloc(0), OP.BINARY, Buffer.alloc(0)],
    ['Uint8Array', bytes, OP.BINARY, Buffer.from(bytes)],
    ['a view in the middle', bytes.subarray(2, 4), OP.BINARY, Buffer.from([2, 3])],
    ['Uint16Array', Uint16Array.from([0x0201]), OP.BINARY, Buffer.from([1, 2])],
    ['DataView', new DataView(bytes.buffer, 1, 3), OP.BINARY, Buffer.from([1, 2, 3])],
    ['ArrayBuffer', bytes.buffer, OP.BINARY, Buffer.from(bytes)],
    ['SharedArrayBuffer view', shared, OP.BINARY, Buffer.from([7, 8, 9])],
    ['SharedArrayBuffer', shared.buffer, OP.BINARY, Buffer.from([7, 8, 9])],
    ['array of numbers', [1, 2, 300], OP.BINARY, Buffer.from([1, 2, 44])],
    ['String object', new String('obj'), OP.BINARY, Buffer.from('obj')],
    ['object with valueOf', { valueOf: () => 'val' }, OP.BINARY, Buffer.from('val')],
    [
      'object with toPrimitive',
      { [Symbol.toPrimitive]: () => 'prim' },
      OP.BINARY,
      Buffer.from('prim')
    ],
    ['Buffer.toJSON shape', { type: 'Buffer', data: [5, 6] }, OP.BINARY, Buffer.from([5, 6])],
    [
      'ArrayBuffer of another realm',
      vm.runInNewContext('new Uint8Array([9]).buffer'),
      OP.BINARY,
      Buffer.from([9])
    ],
    ['number', 123, OP.TEXT, Buffer.from('123')],
    ['negative number', -1.5, OP.TEXT, Buffer.from('-1.5')],
    ['zero', 0, OP.TEXT, Buffer.from('0')],
    ['NaN', NaN, OP.TEXT, Buffer.from('NaN')],
    ['undefined', undefined, OP.BINARY, Buffer.alloc(0)],
    ['null', null, OP.BINARY, Buffer.alloc(0)],
    ['false', false, OP.BINARY, Buffer.alloc(0)],
    ['Blob', new Blob(['blob', 'by']), OP.BINARY, Buffer.from('blobby')]
  ];
  for (const [name, data, opcode, payload] of cases) {
    client.send(data);
    const frame = await peer.frame();
    assert.strictEqual(frame.opcode, opcode, name);
    assert.deepStrictEqual(frame.payload, payload, name);
    assert.strictEqual(frame.fin, true, name);
    assert.strictEqual(frame.rsv1, false, name);
    assert.strictEqual(frame.masked, true, name);
  }
});

test('send: the binary option overrides what the type says', async (t) => {
  const { client, raw: peer } = await clientAndWire(t);
  client.send('text', { binary: true });
  client.send(Buffer.from('buf'), { binary: false });
  client.send(7, { binary: true });
  client.send(Buffer.from('x'), { binary: undefined });
  assert.strictEqual((await peer.frame()).opcode, OP.BINARY);
  assert.strictEqual((await peer.frame()).opcode, OP.TEXT);
  assert.strictEqual((await peer.frame()).opcode, OP.BINARY);
  assert.strictEqual((await peer.frame()).opcode, OP.TEXT);
});

test('send: an option given as undefined counts as false', async (t) => {
  const { client, raw: peer } = await clientAndWire(t);
  client.send('first', { fin: undefined, mask: undefined });
  client.send('last');
  const first = await peer.frame();
  assert.deepStrictEqual([first.fin, first.masked, first.opcode], [false, false, OP.TEXT]);
  const last = await peer.frame();
  assert.deepStrictEqual([last.fin, last.masked, last.opcode], [true, true, OP.CONT]);
});

test('send: a value that Buffer.from refuses throws a TypeError', async (t) => {
  const { client, raw: peer } = await clientAndWire(t);
  for (const data of [true, Symbol('s'), () => {}, { foo: 1 }, 10n]) {
    assert.throws(() => client.send(data), TypeError);
  }
  client.send('still open');
  assert.strictEqual(String((await peer.frame()).payload), 'still open');
});

test('send: while CONNECTING it throws, and so do ping and pong', async (t) => {
  const wss = await serve(t);
  const client = dial(t, wss.testUrl);
  const expected = { name: 'Error', message: 'WebSocket is not open: readyState 0 (CONNECTING)' };
  assert.throws(() => client.send('x'), expected);
  assert.throws(() => client.send('x', () => {}), expected);
  assert.throws(() => client.ping(), expected);
  assert.throws(() => client.pong(), expected);
  await once(client, 'open');
});

test('send: masking never changes the memory of the caller', async (t) => {
  const { client, raw: peer } = await clientAndWire(t);
  for (const size of [5, 1000, 70000]) {
    const data = randomBytes(size);
    const copy = Buffer.from(data);
    client.send(data);
    client.send(data.buffer.slice(data.byteOffset, data.byteOffset + size));
    assert.deepStrictEqual((await peer.frame()).payload, copy);
    assert.deepStrictEqual((await peer.frame()).payload, copy);
    assert.deepStrictEqual(data, copy);
  }
});

test('send: the mask option; a client masks and a server does not by default', async (t) => {
  const { client, raw: peer } = await clientAndWire(t);
  client.send('plain', { mask: false });
  assert.strictEqual((await peer.frame()).masked, false);
  client.send('masked');
  assert.strictEqual((await peer.frame()).masked, true);

  const wss = await serve(t, {}, (ws) => {
    ws.send('plain');
    ws.send('masked', { mask: true });
  });
  const raw = await rawClient(t, wss.testPort);
  assert.strictEqual((await raw.frame()).masked, false);
  const frame = await raw.frame();
  assert.strictEqual(frame.masked, true);
  assert.strictEqual(String(frame.payload), 'masked');
});

test('send: a mask is fresh for every frame', async (t) => {
  const { client, raw: peer } = await clientAndWire(t);
  const keys = new Set();
  for (let i = 0; i < 64; i++) client.send('x');
  for (let i = 0; i < 64; i++) keys.add((await peer.frame()).key.toString('hex'));
  assert.ok(keys.size > 60);
});

test('generateMask(buf) provides the masking key', async (t) => {
  let calls = 0;
  const { client, raw: peer } = await clientAndWire(t, {
    generateMask(mask) {
      assert.ok(Buffer.isBuffer(mask));
      assert.strictEqual(mask.length, 4);
      calls++;
      mask.fill(calls);
    }
  });
  client.send('one');
  client.send(Buffer.from('two'));
  const first = await peer.frame();
  const second = await peer.frame();
  assert.deepStrictEqual([...first.key], [1, 1, 1, 1]);
  assert.deepStrictEqual([...second.key], [2, 2, 2, 2]);
  assert.strictEqual(String(first.payload) + second.payload, 'onetwo');
  assert.strictEqual(calls, 2);
});

test('generateMask(buf): a zero key leaves the payload as it is', async (t) => {
  const { client, raw: peer } = await clientAndWire(t, { generateMask: (mask) => mask.fill(0) });
  client.send('zero');
  const frame = await peer.frame();
  assert.strictEqual(frame.masked, true);
  assert.deepStrictEqual([...frame.key], [0, 0, 0, 0]);
  assert.strictEqual(String(frame.payload), 'zero');
});

test('sizes on the wire use the shortest length encoding', async (t) => {
  const wss = await serve(t, {}, (ws) => {
    for (const size of [0, 125, 126, 65535, 65536]) ws.send(Buffer.alloc(size, 7));
  });
  const raw = await rawClient(t, wss.testPort);
  for (const [size, header] of [
    [0, 2],
    [125, 2],
    [126, 4],
    [65535, 4],
    [65536, 10]
  ]) {
    const frame = await raw.frame();
    assert.strictEqual(frame.payload.length, size);
    assert.strictEqual(frame.headerBytes, header);
  }
});

for (const size of SIZES) {
  test(`a binary message of ${size} bytes both ways`, async (t) => {
    const wss = await serve(t, {}, echo);
    const client = await connect(t, wss.testUrl);
    const data = randomBytes(size);
    client.send(data);
    const [[received, isBinary]] = await messages(client, 1);
    assert.strictEqual(isBinary, true);
    assert.ok(Buffer.isBuffer(received));
    assert.strictEqual(Buffer.compare(received, data), 0);
  });

  test(`a text message of ${size} bytes both ways arrives as a Buffer`, async (t) => {
    const wss = await serve(t, {}, echo);
    const client = await connect(t, wss.testUrl);
    const unit = 'aé€𝄞z';
    const rest = size % Buffer.byteLength(unit);
    const data = unit.repeat((size - rest) / Buffer.byteLength(unit)) + 'a'.repeat(rest);
    client.send(data);
    const [[received, isBinary]] = await messages(client, 1);
    assert.strictEqual(isBinary, false);
    assert.ok(Buffer.isBuffer(received));
    assert.strictEqual(received.toString() === data, true);
  });
}

test('a large message that arrives in pieces of every kind', async (t) => {
  const wss = await serve(t, {}, echo);
  const raw = await rawClient(t, wss.testPort);
  const payload = randomBytes(200000);
  const bytes = raw.build(OP.BINARY, payload);
  for (let at = 0, step = 1; at < bytes.length; at += step, step = (step * 7) % 9973) {
    raw.write(bytes.subarray(at, at + step));
    if (step % 5 === 0) await turn();
  }
  assert.strictEqual(Buffer.compare((await raw.frame()).payload, payload), 0);
});

test('each payload is its own and stays unchanged after the event', async (t) => {
  const wss = await serve(t, {}, echo);
  const client = await connect(t, wss.testUrl);
  const sizes = [1, 20, 100, 1000, 5000, 20000, 70000, 300000];
  const sent = [];
  for (let round = 0; round < 20; round++) for (const size of sizes) sent.push(randomBytes(size));
  for (const data of sent) client.send(data);
  const received = (await messages(client, sent.length)).map(([data]) => data);
  // Later traffic, and writes into one payload, must not show in another.
  received[0].fill(0xff);
  received[7].fill(0xff);
  for (let i = 0; i < 200; i++) client.send(randomBytes(1000));
  await messages(client, 200);
  for (let i = 0; i < sent.length; i++) {
    if (i === 0 || i === 7) continue;
    assert.strictEqual(Buffer.compare(received[i], sent[i]), 0, `message ${i}`);
  }
});

test('a caller may change its memory once the callback has been called', async (t) => {
  const { client, peer } = await pair(t);
  const data = Buffer.alloc(100000, 1);
  const got = messages(peer, 1);
  await new Promise((resolve, reject) =>
    client.send(data, (err) => (err ? reject(err) : resolve()))
  );
  data.fill(2);
  const [[received]] = await got;
  assert.strictEqual(Buffer.compare(received, Buffer.alloc(100000, 1)), 0);
});

test('10,000 messages keep their order, text and binary mixed', async (t) => {
  const wss = await serve(t, {}, echo);
  const client = await connect(t, wss.testUrl);
  const got = messages(client, 10000);
  for (let i = 0; i < 10000; i++) {
    if (i % 3) client.send(String(i));
    else client.send(Buffer.from(String(i)));
  }
  (await got).forEach(([data, isBinary], i) => {
    assert.strictEqual(String(data), String(i));
    assert.strictEqual(isBinary, i % 3 === 0);
  });
});

test('messages of very different sizes keep their order', async (t) => {
  const wss = await serve(t, {}, echo);
  const client = await connect(t, wss.testUrl);
  const sizes = [300000, 1, 70000, 0, 20, 16384, 5, 1 << 20, 2, 126];
  const got = messages(client, sizes.length);
  sizes.forEach((size, i) => client.send(Buffer.alloc(size, i)));
  (await got).forEach(([data], i) => {
    assert.strictEqual(Buffer.compare(data, Buffer.alloc(sizes[i], i)), 0, `message ${i}`);
  });
});

test('a Blob is read asynchronously and the order is kept', async (t) => {
  const { client, raw: peer } = await clientAndWire(t);
  client.send('before');
  client.send(new Blob(['blob 1']));
  client.send('between');
  client.ping('p');
  client.send(new Blob(['blob 2']), { binary: false });
  client.send('after');
  client.close(1000);
  const seen = [];
  for (let i = 0; i < 7; i++) {
    const { opcode, payload } = await peer.frame();
    seen.push([opcode, opcode === OP.CLOSE ? payload.readUInt16BE(0) : String(payload)]);
  }
  assert.deepStrictEqual(seen, [
    [OP.TEXT, 'before'],
    [OP.BINARY, 'blob 1'],
    [OP.TEXT, 'between'],
    [OP.PING, 'p'],
    [OP.TEXT, 'blob 2'],
    [OP.TEXT, 'after'],
    [OP.CLOSE, 1000]
  ]);
});

test('fin: false sends fragments; control frames may stand between them', async (t) => {
  const { client, raw: peer } = await clientAndWire(t);
  client.send('a', { fin: false });
  client.ping('p');
  client.send(Buffer.from('b'), { fin: false });
  client.send('', { fin: false });
  client.send('c', { fin: true });
  client.send('next');
  const seen = [];
  for (let i = 0; i < 6; i++) {
    const { fin, opcode, payload } = await peer.frame();
    seen.push([fin, opcode, String(payload)]);
  }
  assert.deepStrictEqual(seen, [
    [false, OP.TEXT, 'a'],
    [true, OP.PING, 'p'],
    [false, OP.CONT, 'b'],
    [false, OP.CONT, ''],
    [true, OP.CONT, 'c'],
    [true, OP.TEXT, 'next']
  ]);
});

test('the type of a fragmented message is that of its first fragment', async (t) => {
  const { client, peer } = await pair(t);
  client.send(Buffer.from([1, 2]), { fin: false });
  client.send(Buffer.alloc(0), { fin: false });
  client.send('xy');
  client.send('ü', { fin: false });
  client.send(Buffer.from('ß'));
  const [first, second] = await messages(peer, 2);
  assert.deepStrictEqual(first, [Buffer.from([1, 2, 0x78, 0x79]), true]);
  assert.deepStrictEqual(second, [Buffer.from('üß'), false]);
});

test('received fragments may split a code point, and be empty', async (t) => {
  const wss = await serve(t, {}, echo);
  const raw = await rawClient(t, wss.testPort);
  const euro = Buffer.from('€');
  raw.write(
    Buffer.concat([
      raw.build(OP.TEXT, euro.subarray(0, 1), { fin: false }),
      raw.build(OP.CONT, Buffer.alloc(0), { fin: false }),
      raw.build(OP.PING, 'in between'),
      raw.build(OP.CONT, euro.subarray(1, 2), { fin: false }),
      raw.build(OP.CONT, euro.subarray(2), { fin: true })
    ])
  );
  const pong = await raw.frame();
  assert.deepStrictEqual([pong.opcode, String(pong.payload)], [OP.PONG, 'in between']);
  const message = await raw.frame();
  assert.deepStrictEqual([message.opcode, String(message.payload)], [OP.TEXT, '€']);
});

test('an empty message in empty fragments arrives as an empty Buffer', async (t) => {
  const wss = await serve(t);
  const connection = once(wss, 'connection');
  const raw = await rawClient(t, wss.testPort);
  const [ws] = await connection;
  const got = messages(ws, 2);
  raw.send(OP.BINARY, '', { fin: false });
  raw.send(OP.CONT, '');
  raw.send(OP.TEXT, '');
  assert.deepStrictEqual(await got, [
    [Buffer.alloc(0), true],
    [Buffer.alloc(0), false]
  ]);
});

test('a length in more bytes than needed is accepted, as ws does', async (t) => {
  const wss = await serve(t, {}, echo);
  const raw = await rawClient(t, wss.testPort);
  raw.send(OP.TEXT, 'two', { lengthBytes: 2 });
  raw.send(OP.TEXT, 'eight', { lengthBytes: 8 });
  assert.strictEqual(String((await raw.frame()).payload), 'two');
  assert.strictEqual(String((await raw.frame()).payload), 'eight');
});

for (const key of [Buffer.from([0, 0, 0, 0]), Buffer.from([0xff, 0, 0x80, 1])]) {
  test(`a message masked with ${key.toString('hex')}, at every length up to 80`, async (t) => {
    const wss = await serve(t, {}, echo);
    const raw = await rawClient(t, wss.testPort);
    const sent = [];
    for (let size = 0; size <= 80; size++) {
      sent.push(randomBytes(size));
      raw.write(buildFrame({ opcode: OP.BINARY, payload: sent[size], mask: key }));
    }
    for (const data of sent) assert.deepStrictEqual((await raw.frame()).payload, data);
  });
}

test('binaryType: nodebuffer, arraybuffer, fragments, blob; it may change while live', async (t) => {
  const { client, peer } = await pair(t);
  assert.strictEqual(client.binaryType, 'nodebuffer');
  client.binaryType = 'nonsense';
  assert.strictEqual(client.binaryType, 'nodebuffer');

  const send = async () => {
    const got = messages(client, 1);
    peer.send(Buffer.from('ab'), { fin: false });
    peer.send(Buffer.alloc(0), { fin: false });
    peer.send(Buffer.from('cd'));
    return (await got)[0];
  };

  assert.deepStrictEqual(await send(), [Buffer.from('abcd'), true]);

  client.binaryType = 'arraybuffer';
  const [arrayBuffer] = await send();
  assert.ok(arrayBuffer instanceof ArrayBuffer);
  assert.strictEqual(arrayBuffer.byteLength, 4);
  assert.strictEqual(Buffer.from(arrayBuffer).toString(), 'abcd');

  client.binaryType = 'fragments';
  const [fragments] = await send();
  assert.deepStrictEqual(fragments.map(String), ['ab', 'cd']);

  client.binaryType = 'blob';
  assert.strictEqual(client.binaryType, 'blob');
  const [blob] = await send();
  assert.ok(blob instanceof Blob);
  assert.strictEqual(await blob.text(), 'abcd');

  client.binaryType = 'nodebuffer';
  assert.deepStrictEqual(await send(), [Buffer.from('abcd'), true]);
});

test('binaryType: single-frame and empty messages', async (t) => {
  const { client, peer } = await pair(t);
  const receive = async (data) => {
    const got = messages(client, 1);
    peer.send(data);
    return (await got)[0][0];
  };
  client.binaryType = 'arraybuffer';
  for (const size of [0, 1, 20, 5000, 100000]) {
    const data = await receive(Buffer.alloc(size, 3));
    assert.ok(data instanceof ArrayBuffer);
    assert.strictEqual(data.byteLength, size);
    assert.ok(Buffer.from(data).equals(Buffer.alloc(size, 3)));
  }
  client.binaryType = 'fragments';
  assert.deepStrictEqual(await receive(Buffer.alloc(0)), []);
  assert.deepStrictEqual(await receive(Buffer.from('x')), [Buffer.from('x')]);
  client.binaryType = 'blob';
  assert.strictEqual((await receive(Buffer.alloc(0))).size, 0);
});

test('binaryType affects binary only: text stays a Buffer', async (t) => {
  const { client, peer } = await pair(t);
  for (const type of ['arraybuffer', 'fragments', 'blob']) {
    client.binaryType = type;
    const got = messages(client, 1);
    peer.send('te', { fin: false });
    peer.send('xt');
    assert.deepStrictEqual(await got, [[Buffer.from('text'), false]]);
  }
});

'use strict';

// `new WebSocket(null, undefined, options)` and setSocket(): a WebSocket over a Duplex of the
// application, as @fastify/websocket makes them for its tests.

const assert = require('node:assert');
const { EventEmitter } = require('node:events');
const { Duplex } = require('node:stream');
const WebSocket = require('./support/impl');
const {
  discard,
  echo,
  messages,
  once,
  record,
  test,
  turn,
  until,
  within
} = require('./support/helpers');
const { compressedFrame, inflated, prose } = require('./support/deflate');
const { duplexPair } = require('./support/duplex');
const { OP, RawPeer, SAMPLE_KEY, acceptFor, closePayload } = require('./support/raw-peer');

const NO_HEAD = Buffer.alloc(0);

/** A WebSocket on `stream`; the options are those of the constructor and of setSocket(). */
function attach(
  t,
  stream,
  { isServer = false, head = NO_HEAD, options, socketOptions, before } = {}
) {
  const ws = new WebSocket(null, undefined, { closeTimeout: 30000, autoPong: true, ...options });
  ws._isServer = isServer;
  before?.(ws);
  ws.setSocket(stream, head, { maxPayload: 0, ...socketOptions });
  t.after(() => discard(ws));
  return ws;
}

/** A server's and a client's WebSocket on the two ends of a pair. */
function socketPair(t, { duplex, server, client } = {}) {
  const [a, b] = duplexPair(duplex);
  return {
    server: attach(t, a, { isServer: true, ...server }),
    client: attach(t, b, client)
  };
}

/** A WebSocket whose peer is raw. */
function wire(t, { isServer = true, duplex, ...rest } = {}) {
  const [a, b] = duplexPair(duplex);
  b.setNoDelay = () => {};
  const raw = new RawPeer(b, { mask: isServer });
  return { ws: attach(t, a, { isServer, ...rest }), raw, stream: a };
}

test('without an address: CONNECTING, no socket, a server until told otherwise', () => {
  const ws = new WebSocket(null, undefined, {});
  assert.strictEqual(ws.readyState, WebSocket.CONNECTING);
  assert.strictEqual(ws._isServer, true);
  assert.strictEqual(ws._socket, null);
  assert.strictEqual(ws.url, undefined);
  assert.strictEqual(ws.protocol, '');
  assert.strictEqual(ws.extensions, '');
});

test("setSocket(): OPEN and 'open' before it returns", (t) => {
  const [stream] = duplexPair();
  const ws = new WebSocket(null, undefined, {});
  t.after(() => discard(ws));
  const states = [];
  ws.on('open', () => states.push(ws.readyState));
  ws.setSocket(stream, NO_HEAD, { maxPayload: 0 });
  assert.deepStrictEqual(states, [WebSocket.OPEN]);
  assert.strictEqual(ws._socket, stream);
});

test("as @fastify/websocket does it: an injected request on a server's handleUpgrade()", async (t) => {
  const wss = new WebSocket.Server({ noServer: true });
  wss.on('connection', echo);
  const server = new EventEmitter();
  server.on('upgrade', (req, socket, head) => {
    wss.handleUpgrade(req, socket, head, (ws) => wss.emit('connection', ws, req));
  });

  const [serverStream, clientStream] = duplexPair();
  const ws = new WebSocket(null, undefined, {});
  ws._isServer = false;
  t.after(() => discard(ws));
  const opened = new Promise((resolve) => {
    clientStream.on('data', function onData(chunk) {
      const end = chunk.indexOf('\r\n\r\n');
      assert.match(String(chunk), /^HTTP\/1\.1 101 /);
      assert.ok(String(chunk).includes(acceptFor(SAMPLE_KEY)));
      clientStream.removeListener('data', onData);
      ws.setSocket(clientStream, chunk.subarray(end + 4), { maxPayload: 0 });
      resolve();
    });
  });
  server.emit(
    'upgrade',
    {
      method: 'GET',
      url: '/injected',
      socket: serverStream,
      headers: {
        connection: 'upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': 13,
        'sec-websocket-key': SAMPLE_KEY
      }
    },
    serverStream,
    NO_HEAD
  );
  await within(opened, 'the 101');
  const got = messages(ws, 2);
  ws.send('text');
  ws.send(Buffer.alloc(200000, 7));
  const [text, binary] = await got;
  assert.deepStrictEqual([String(text[0]), text[1]], ['text', false]);
  assert.ok(binary[0].equals(Buffer.alloc(200000, 7)));
  const [peer] = wss.clients;
  const closed = [once(ws, 'close'), once(peer, 'close')];
  peer.close(1001, 'done');
  for (const args of await Promise.all(closed)) {
    assert.deepStrictEqual(args, [1001, Buffer.from('done')]);
  }
});

test('messages, pings and the closing handshake, both ways', async (t) => {
  const { server, client } = socketPair(t);
  for (const [from, to] of [
    [server, client],
    [client, server]
  ]) {
    const got = messages(to, 3);
    const pong = once(from, 'pong');
    from.send('text');
    from.send(Buffer.from([1, 2]));
    from.ping('p');
    from.send(Buffer.alloc(1 << 20, 5));
    const [text, small, large] = await got;
    assert.deepStrictEqual([String(text[0]), text[1]], ['text', false]);
    assert.deepStrictEqual(small, [Buffer.from([1, 2]), true]);
    assert.ok(large[0].equals(Buffer.alloc(1 << 20, 5)));
    assert.deepStrictEqual(await pong, [Buffer.from('p')]);
  }
  const closed = [once(server, 'close'), once(client, 'close')];
  client.close(3000, 'bye');
  for (const args of await Promise.all(closed)) {
    assert.deepStrictEqual(args, [3000, Buffer.from('bye')]);
  }
  assert.strictEqual(client._socket.destroyed, true);
  assert.strictEqual(server._socket.destroyed, true);
});

for (const isServer of [true, false]) {
  test(`_isServer = ${isServer} decides who masks`, async (t) => {
    const { ws, raw } = wire(t, { isServer });
    ws.send('x');
    assert.strictEqual((await raw.frame()).masked, !isServer);
    const got = messages(ws, 1);
    raw.send(OP.TEXT, 'y');
    assert.strictEqual(String((await got)[0][0]), 'y');
    const failed = once(ws, 'error');
    raw.send(OP.TEXT, 'z', { mask: !isServer });
    const [err] = await failed;
    assert.strictEqual(err.code, isServer ? 'WS_ERR_EXPECTED_MASK' : 'WS_ERR_UNEXPECTED_MASK');
  });
}

test('head: its frames come first, after setSocket() has returned', async (t) => {
  const [stream, other] = duplexPair();
  other.setNoDelay = () => {};
  const raw = new RawPeer(other, { mask: true });
  raw.send(OP.TEXT, 'three');
  const ws = new WebSocket(null, undefined, {});
  t.after(() => discard(ws));
  const log = record(ws, ['message']);
  const second = raw.build(OP.TEXT, 'two');
  const head = Buffer.concat([raw.build(OP.TEXT, 'one'), second.subarray(0, 3)]);
  stream.unshift(second.subarray(3));
  ws.setSocket(stream, head, { maxPayload: 0 });
  assert.deepStrictEqual(log, []);
  await until(() => log.length === 3);
  assert.deepStrictEqual(
    log.map(([, data]) => String(data)),
    ['one', 'two', 'three']
  );
});

test('the limits are those given to setSocket(); maxPayload 0 is none', async (t) => {
  const small = wire(t, { options: { maxPayload: 0 }, socketOptions: { maxPayload: 10 } });
  const failed = once(small.ws, 'error');
  small.raw.send(OP.BINARY, Buffer.alloc(11));
  assert.strictEqual((await failed)[0].code, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH');
  assert.strictEqual(await small.raw.closeFrame(), 1009);

  const large = wire(t, { options: { maxPayload: 10 } });
  const got = messages(large.ws, 1);
  large.raw.send(OP.BINARY, Buffer.alloc(100000));
  assert.strictEqual((await got)[0][0].length, 100000);
});

test('setSocket(): skipUTF8Validation, maxFragments, generateMask', async (t) => {
  const lax = wire(t, { socketOptions: { skipUTF8Validation: true, maxFragments: 2 } });
  const got = messages(lax.ws, 1);
  lax.raw.send(OP.TEXT, Buffer.from([0xff]));
  assert.deepStrictEqual(await got, [[Buffer.from([0xff]), false]]);
  const failed = once(lax.ws, 'error');
  for (let i = 0; i < 3; i++) lax.raw.send(i ? OP.CONT : OP.TEXT, 'x', { fin: false });
  assert.strictEqual((await failed)[0].code, 'WS_ERR_TOO_MANY_BUFFERED_PARTS');

  const client = wire(t, {
    isServer: false,
    socketOptions: { generateMask: (mask) => mask.fill(9) }
  });
  client.ws.send('masked');
  assert.deepStrictEqual([...(await client.raw.frame()).key], [9, 9, 9, 9]);
});

test('no pong without autoPong: {} has none of the defaults', async (t) => {
  const { ws, raw } = wire(t, { options: { autoPong: undefined } });
  const ping = once(ws, 'ping');
  raw.send(OP.PING, 'x');
  await ping;
  ws.send('first frame');
  assert.strictEqual((await raw.frame()).opcode, OP.TEXT);
});

test('a Duplex that takes a few bytes at a time', async (t) => {
  const { server, client } = socketPair(t, { duplex: { highWaterMark: 7 } });
  server.on('message', (data, binary) => server.send(data, { binary }));
  const got = messages(client, 3);
  client.send('a few words');
  client.send(Buffer.alloc(5000, 1));
  client.send('the end');
  const [first, second, third] = await got;
  assert.strictEqual(String(first[0]), 'a few words');
  assert.ok(second[0].equals(Buffer.alloc(5000, 1)));
  assert.strictEqual(String(third[0]), 'the end');
});

test('backpressure out: bufferedAmount, and callbacks when the Duplex has taken the bytes', async (t) => {
  const { ws, stream } = wire(t);
  stream.other.pause();
  const done = [];
  for (let i = 0; i < 20; i++) ws.send(Buffer.alloc(50000), (err) => done.push([i, err]));
  await turn();
  await turn();
  assert.ok(ws.bufferedAmount > 500000, String(ws.bufferedAmount));
  assert.ok(done.length < 20);
  stream.other.resume();
  await until(() => done.length === 20);
  assert.deepStrictEqual(
    done.map(([i, err]) => [i, Boolean(err)]),
    Array.from({ length: 20 }, (_, i) => [i, false])
  );
  assert.strictEqual(ws.bufferedAmount, 0);
});

test('backpressure in: a paused WebSocket does not read the Duplex empty', async (t) => {
  const { ws, raw } = wire(t);
  let received = 0;
  ws.on('message', (data) => {
    received += data.length;
  });
  ws.pause();
  const frame = raw.build(OP.BINARY, Buffer.alloc(50000));
  for (let i = 0; i < 40; i++) raw.write(frame);
  for (let i = 0; i < 10; i++) await turn();
  assert.strictEqual(received, 0);
  assert.ok(raw.socket.writableLength > 1000000, String(raw.socket.writableLength));
  ws.resume();
  await until(() => received === 40 * 50000);
});

test('the end of the Duplex without a close frame: 1006, and it is ended', async (t) => {
  const { ws, raw, stream } = wire(t);
  const log = record(ws, ['message', 'error', 'close']);
  raw.send(OP.TEXT, 'x');
  raw.socket.end();
  await until(() => log.length === 2);
  assert.deepStrictEqual(log, [
    ['message', Buffer.from('x'), false],
    ['close', 1006, Buffer.alloc(0)]
  ]);
  assert.strictEqual(stream.destroyed, true);
});

for (const [title, act] of [
  ['terminate()', ({ ws }) => ws.terminate()],
  ['destroy() of the Duplex', ({ stream }) => stream.destroy()],
  ['an error of the Duplex', ({ stream }) => stream.destroy(new Error('broken'))]
]) {
  test(`${title}: only 'close' 1006`, async (t) => {
    const both = wire(t);
    const log = record(both.ws, ['error', 'close']);
    act(both);
    await until(() => log.length > 0);
    assert.deepStrictEqual(log, [['close', 1006, Buffer.alloc(0)]]);
    assert.strictEqual(both.stream.destroyed, true);
    await both.raw.end();
  });
}

test('a Duplex whose writes fail: callbacks get the error, then close 1006', async (t) => {
  const broken = new Error('cannot write');
  const stream = new Duplex({
    read() {},
    write(chunk, encoding, callback) {
      process.nextTick(callback, broken);
    }
  });
  const ws = attach(t, stream, { isServer: true });
  const closed = once(ws, 'close');
  const err = await within(new Promise((resolve) => ws.send('x', resolve)), 'the callback');
  assert.strictEqual(err, broken);
  assert.strictEqual((await closed)[0], 1006);
});

test('a Duplex that ends, and breaks with a write under way', async (t) => {
  const broken = new Error('broken');
  let fail;
  const stream = new Duplex({
    read() {},
    write(chunk, encoding, callback) {
      fail = () => callback(broken);
    }
  });
  const ws = attach(t, stream, { isServer: true });
  const log = record(ws, ['error', 'close']);
  const results = [];
  ws.send('under way', (err) => results.push(err));
  ws.send('behind it', (err) => results.push(err));
  await until(() => fail !== undefined, 'the write');
  stream.push(null);
  await turn();
  await turn();
  fail();
  await until(() => log.length > 0, "'close'");
  assert.deepStrictEqual(log, [['close', 1006, Buffer.alloc(0)]]);
  assert.deepStrictEqual(results, [broken, broken]);
  assert.strictEqual(ws.bufferedAmount, 0);
});

test('a bad frame over a Duplex: error, the close frame, 1006', async (t) => {
  const { ws, raw } = wire(t);
  const log = record(ws, ['error', 'close']);
  raw.send(3, '');
  assert.deepStrictEqual((await raw.frame()).payload, closePayload(1002));
  await raw.end();
  raw.socket.end();
  await until(() => log.length === 2);
  assert.strictEqual(log[0][1].code, 'WS_ERR_INVALID_OPCODE');
  assert.deepStrictEqual(log[1], ['close', 1006, Buffer.alloc(0)]);
});

/** A PerMessageDeflate that has agreed on `params`. */
function agreed(isServer, options, params = {}) {
  const deflate = new WebSocket.PerMessageDeflate({ ...options, isServer });
  deflate.accept([params]);
  return deflate;
}

test('_extensions that are set before: messages are compressed', async (t) => {
  const { ws, raw } = wire(t, {
    before: (own) => {
      own._extensions['permessage-deflate'] = agreed(true);
      own._extensions = { 'permessage-deflate': agreed(true, { threshold: 0 }) };
    }
  });
  assert.strictEqual(ws.extensions, 'permessage-deflate');
  const text = prose(3000);
  raw.write(compressedFrame(raw, OP.TEXT, text));
  assert.strictEqual(String((await once(ws, 'message'))[0]), text);
  ws.send(text);
  const frame = await raw.frame();
  assert.strictEqual(frame.rsv1, true);
  assert.strictEqual(String(inflated(frame.payload)), text);
});

test('_extensions: their maxPayload holds', async (t) => {
  const { ws, raw } = wire(t, {
    before: (own) => {
      own._extensions = { 'permessage-deflate': agreed(true, { maxPayload: 1000 }) };
    }
  });
  raw.write(compressedFrame(raw, OP.TEXT, prose(1000)));
  assert.strictEqual((await once(ws, 'message'))[0].length, 1000);
  const failed = once(ws, 'error');
  raw.write(compressedFrame(raw, OP.TEXT, prose(1001)));
  assert.strictEqual((await failed)[0].code, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH');
});

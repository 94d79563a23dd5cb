'use strict';

// What is not documented, and what dependents use nevertheless.

const assert = require('node:assert');
const WebSocket = require('./support/impl');
const { dial, messages, once, pair, record, serve, test, until } = require('./support/helpers');
const { carrier } = require('./support/carriers');
const { OP, buildFrame, closePayload, rawClient } = require('./support/raw-peer');
const { serverAndWire } = require('./support/wire');

test('_isServer', async (t) => {
  const { client, peer } = await pair(t);
  assert.strictEqual(client._isServer, false);
  assert.strictEqual(peer._isServer, true);
});

test('_socket, _receiver and _sender: null before open, objects afterwards', async (t) => {
  const wss = await serve(t);
  const client = dial(t, wss.testUrl);
  assert.deepStrictEqual([client._socket, client._receiver, client._sender], [null, null, null]);
  await once(client, 'open');
  for (const ws of [client, ...wss.clients]) {
    for (const name of ['_socket', '_receiver', '_sender']) {
      assert.strictEqual(typeof ws[name], 'object', name);
      assert.ok(ws[name] !== null, name);
      assert.strictEqual(ws[name], ws[name], `${name} is one object`);
    }
    assert.strictEqual(ws._sender._socket, ws._socket);
  }
});

test('they are there when the connection is closed', async (t) => {
  const { client } = await pair(t);
  const { _socket, _receiver, _sender } = client;
  const closed = once(client, 'close');
  client.close();
  await closed;
  assert.deepStrictEqual(
    [client._socket === _socket, client._receiver === _receiver, client._sender === _sender],
    [true, true, true]
  );
});

test('_extensions and _protocol', async (t) => {
  const wss = await serve(t);
  const client = dial(t, wss.testUrl, ['chat'], { perMessageDeflate: false });
  await once(client, 'open');
  for (const ws of [client, ...wss.clients]) {
    assert.deepStrictEqual(Object.keys(ws._extensions), []);
    assert.strictEqual(ws._protocol, 'chat');
  }
});

test(
  '_req: the request of a client while it connects',
  { carriers: ['adopted', 'stream'] },
  async (t) => {
    const wss = await serve(t);
    const client = dial(t, wss.testUrl);
    assert.strictEqual(typeof client._req.setHeader, 'function');
    assert.strictEqual(client._req.getHeader('upgrade'), 'websocket');
    await once(client, 'open');
    assert.strictEqual(client._req, null);
  }
);

test('properties hung on _socket, _sender and on its socket stay', async (t) => {
  const { client, peer } = await pair(t);
  for (const ws of [client, peer]) {
    ws._socket.session = { user: 1 };
    ws._sender.tag = 'sender';
    ws._sender._socket.tag = 'socket';
    assert.deepStrictEqual(ws._socket.session, { user: 1 });
    assert.strictEqual(ws._sender.tag, 'sender');
    assert.strictEqual(ws._socket.tag, 'socket');
  }
});

test('_sender.sendFrame(list, cb) writes encoded frames, in order with send()', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const header = (length) => Buffer.from([0x81, length]);
  ws.send('one');
  const called = new Promise((resolve) => {
    ws._sender.sendFrame([header(3), Buffer.from('two')], resolve);
  });
  ws._sender.sendFrame([buildFrame({ opcode: OP.TEXT, payload: 'three' })]);
  ws.send('four');
  for (const text of ['one', 'two', 'three', 'four']) {
    const { opcode, payload } = await raw.frame();
    assert.deepStrictEqual([opcode, String(payload)], [OP.TEXT, text]);
  }
  assert.ok(!(await called), 'no error');
});

test('Sender.frame() and sendFrame(), as an adapter broadcasts', async (t) => {
  const wss = await serve(t);
  const raws = [await rawClient(t, wss.testPort), await rawClient(t, wss.testPort)];
  const frame = WebSocket.Sender.frame(Buffer.from('to all'), {
    readOnly: false,
    mask: false,
    rsv1: false,
    opcode: 1,
    fin: true
  });
  await until(() => wss.clients.size === 2);
  for (const ws of wss.clients) ws._sender.sendFrame(frame);
  for (const raw of raws) {
    const { opcode, payload } = await raw.frame();
    assert.deepStrictEqual([opcode, String(payload)], [OP.TEXT, 'to all']);
  }
});

test('_receiver: listeners beside those of the WebSocket', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const log = [];
  for (const name of ['message', 'ping', 'pong']) {
    ws._receiver.on(name, (data) => log.push(`receiver ${name} ${data}`));
    ws.on(name, (data) => log.push(`${name} ${data}`));
  }
  ws._receiver.on('conclude', (code, reason) => log.push(`conclude ${code} ${reason}`));
  ws.on('close', () => log.push('close'));
  raw.write(
    Buffer.concat([
      raw.build(OP.TEXT, 'm'),
      raw.build(OP.PING, 'i'),
      raw.build(OP.PONG, 'o'),
      raw.build(OP.CLOSE, closePayload(1000, 'c'))
    ])
  );
  await until(() => log.at(-1) === 'close');
  assert.deepStrictEqual(log, [
    'message m',
    'receiver message m',
    'ping i',
    'receiver ping i',
    'pong o',
    'receiver pong o',
    'conclude 1000 c',
    'close'
  ]);
});

test("_receiver.removeAllListeners('ping') switches pongs and 'ping' off", async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const pings = record(ws, ['ping']);
  ws._receiver.removeAllListeners('ping');
  const got = messages(ws, 1);
  raw.send(OP.PING, 'unanswered');
  raw.send(OP.TEXT, 'x');
  await got;
  ws.send('first frame');
  assert.strictEqual((await raw.frame()).opcode, OP.TEXT);
  assert.deepStrictEqual(pings, []);
});

test("_receiver.removeAllListeners('message'): messages are another listener's", async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const own = record(ws, ['message']);
  ws._receiver.removeAllListeners('message');
  const got = once(ws._receiver, 'message');
  raw.send(OP.BINARY, 'stolen');
  assert.deepStrictEqual(await got, [Buffer.from('stolen'), true]);
  assert.deepStrictEqual(own, []);
});

test('_receiver has the limits of its connection', async (t) => {
  const { peer } = await pair(t, { maxPayload: 1234, skipUTF8Validation: true });
  assert.strictEqual(peer._receiver._maxPayload, 1234);
  assert.strictEqual(peer._receiver._skipUTF8Validation, true);
});

test('wss.options is what the server works with', async (t) => {
  const wss = await serve(t, { maxPayload: 5, custom: 'mine' });
  assert.strictEqual(wss.options.custom, 'mine');
  assert.strictEqual(wss.options.maxPayload, 5);
  assert.strictEqual(wss.options.noServer, carrier === 'stream');
});

test("_receiver.removeAllListeners('conclude'): the close frame is not answered", async (t) => {
  const { ws, raw } = await serverAndWire(t);
  ws._receiver.removeAllListeners('conclude');
  const concluded = once(ws._receiver, 'conclude');
  raw.send(OP.CLOSE, closePayload(1000, 'bye'));
  const [code, reason] = await concluded;
  assert.deepStrictEqual([code, String(reason)], [1000, 'bye']);
  assert.strictEqual(ws.readyState, WebSocket.OPEN);
  ws.terminate();
  assert.strictEqual((await raw.rest()).length, 0);
});

test('_extensions: one object, which may be replaced', async (t) => {
  const { client } = await pair(t, { perMessageDeflate: true }, { perMessageDeflate: true });
  assert.strictEqual(client._extensions, client._extensions);
  assert.deepStrictEqual(Object.keys(client._extensions), ['permessage-deflate']);
  class Own extends WebSocket {
    constructor(...args) {
      super(...args);
      this._extensions = {};
    }
  }
  assert.deepStrictEqual(new Own(null, undefined, {})._extensions, {});
});

test('_sender.send(): Blobs too, in order', async (t) => {
  const { client, peer } = await pair(t);
  const received = messages(peer, 3);
  const options = { binary: false, compress: false, fin: true, mask: true };
  client._sender.send(new Blob(['first']), options);
  client.send('second');
  client._sender.send('third', options);
  const texts = (await received).map(([data]) => String(data));
  assert.deepStrictEqual(texts, ['first', 'second', 'third']);
});

test('setSocket() of a subclass may narrow the options', async (t) => {
  class Narrow extends WebSocket {
    setSocket(socket, head, { maxPayload }) {
      super.setSocket(socket, head, { maxPayload });
    }
  }
  const wss = await serve(t, { perMessageDeflate: true, WebSocket: Narrow }, (ws) => {
    ws.on('message', (data) => ws.send(data));
  });
  const client = dial(t, wss.testUrl, { perMessageDeflate: true });
  await once(client, 'open');
  const received = messages(client, 1);
  client.send('compressed '.repeat(1000));
  assert.strictEqual(String((await received)[0][0]), 'compressed '.repeat(1000));
});

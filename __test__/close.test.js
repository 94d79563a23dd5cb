'use strict';

const assert = require('node:assert');
const WebSocket = require('./support/impl');
const {
  connect,
  delay,
  messages,
  once,
  pair,
  record,
  serve,
  test,
  turn,
  until
} = require('./support/helpers');
const { OP, closePayload } = require('./support/raw-peer');
const { clientAndWire, serverAndWire } = require('./support/wire');

const EVENTS = ['message', 'error', 'close'];

test('close(): an empty close frame = 1005 on both ends, reason an empty Buffer', async (t) => {
  const { client, peer } = await pair(t);
  const [a, b] = [once(client, 'close'), once(peer, 'close')];
  client.close();
  assert.strictEqual(client.readyState, WebSocket.CLOSING);
  assert.deepStrictEqual(await a, [1005, Buffer.alloc(0)]);
  assert.deepStrictEqual(await b, [1005, Buffer.alloc(0)]);
  assert.strictEqual(client.readyState, WebSocket.CLOSED);
  assert.strictEqual(peer.readyState, WebSocket.CLOSED);
});

test('close(code, reason): the code and reason reach the peer and come back', async (t) => {
  const { client, peer } = await pair(t);
  const [a, b] = [once(client, 'close'), once(peer, 'close')];
  client.close(3001, 'grüße');
  assert.deepStrictEqual(await b, [3001, Buffer.from('grüße')]);
  assert.deepStrictEqual(await a, [3001, Buffer.from('grüße')]);
});

test('close(code, Uint8Array) and the longest reason of 123 bytes', async (t) => {
  for (const reason of [Buffer.alloc(123, 'r'), new Uint8Array([97, 98])]) {
    const { client, peer } = await pair(t);
    const closed = once(peer, 'close');
    client.close(1000, reason);
    assert.deepStrictEqual(await closed, [1000, Buffer.from(reason)]);
  }
});

test('close(): frames on the wire, client and server', async (t) => {
  const { client, raw } = await clientAndWire(t);
  client.close(1001, 'bye');
  const frame = await raw.frame();
  assert.deepStrictEqual(
    [frame.fin, frame.opcode, frame.masked, frame.payload],
    [true, OP.CLOSE, true, closePayload(1001, 'bye')]
  );

  const server = await serverAndWire(t);
  server.ws.close(4000);
  const reply = await server.raw.frame();
  assert.deepStrictEqual(
    [reply.fin, reply.opcode, reply.masked, reply.payload],
    [true, OP.CLOSE, false, closePayload(4000)]
  );
});

test("the peer's code is echoed with its reason, then the server ends the socket", async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const closed = once(ws, 'close');
  raw.send(OP.CLOSE, closePayload(3999, 'why'));
  assert.deepStrictEqual((await raw.frame()).payload, closePayload(3999, 'why'));
  assert.strictEqual((await raw.rest()).length, 0);
  assert.deepStrictEqual(await closed, [3999, Buffer.from('why')]);
});

test('an empty close frame is answered with an empty close frame', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const closed = once(ws, 'close');
  raw.send(OP.CLOSE, '');
  assert.strictEqual(await raw.closeFrame(), 1005);
  await raw.end();
  assert.deepStrictEqual(await closed, [1005, Buffer.alloc(0)]);
});

test('valid close codes: 1000-1003, 1007-1014, 3000-4999', async (t) => {
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1011, 1012, 1013, 1014, 3000, 4999]) {
    const { ws, raw } = await serverAndWire(t);
    const closed = once(ws, 'close');
    raw.send(OP.CLOSE, closePayload(code));
    assert.strictEqual(await raw.closeFrame(), code);
    assert.strictEqual((await closed)[0], code);
  }
});

test('close(): a bad code is a TypeError, and the state is unchanged when it throws', async (t) => {
  const { client, peer } = await pair(t);
  const bad = [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, -1, NaN, '1000', null, {}];
  for (const code of bad) {
    assert.throws(() => client.close(code), {
      name: 'TypeError',
      message: 'First argument must be a valid error code number'
    });
    assert.strictEqual(client.readyState, WebSocket.OPEN);
  }
  const got = messages(peer, 1);
  client.send('still open');
  assert.strictEqual(String((await got)[0][0]), 'still open');
});

test('close(): a reason over 123 bytes is a RangeError, counted in bytes', async (t) => {
  const { client } = await pair(t);
  for (const reason of ['x'.repeat(124), 'é'.repeat(62), Buffer.alloc(124)]) {
    assert.throws(() => client.close(1000, reason), {
      name: 'RangeError',
      message: 'The message must not be greater than 123 bytes'
    });
    assert.strictEqual(client.readyState, WebSocket.OPEN);
  }
});

test('close(): a reason that is neither a string nor a Uint8Array is a TypeError', async (t) => {
  const { client } = await pair(t);
  assert.throws(() => client.close(1000, ['a']), TypeError);
  assert.throws(() => client.close(1000, new Uint16Array(2)), {
    name: 'TypeError',
    message: 'Second argument must be a string or a Uint8Array'
  });
  assert.throws(() => client.close(1000, null), TypeError);
  assert.strictEqual(client.readyState, WebSocket.OPEN);
});

test('close(code, reason without a length) sends the code alone', async (t) => {
  for (const reason of ['', 7, {}, new ArrayBuffer(2), Buffer.alloc(0)]) {
    const { client, peer } = await pair(t);
    const closed = once(peer, 'close');
    client.close(1000, reason);
    assert.deepStrictEqual(await closed, [1000, Buffer.alloc(0)]);
  }
});

test('close(undefined, reason) sends an empty close frame', async (t) => {
  const { client, peer } = await pair(t);
  const closed = once(peer, 'close');
  client.close(undefined, 'not sent');
  assert.deepStrictEqual(await closed, [1005, Buffer.alloc(0)]);
});

test('close() again, in CLOSING and in CLOSED, does nothing, whatever the arguments', async (t) => {
  const { client, peer } = await pair(t);
  const log = record(peer, ['close']);
  const closed = once(client, 'close');
  client.close(1000, 'first');
  client.close(1001, 'second');
  client.close(99);
  await closed;
  client.close(1001);
  client.close(99);
  client.terminate();
  await until(() => log.length === 1);
  await turn();
  assert.deepStrictEqual(log, [['close', 1000, Buffer.from('first')]]);
});

test('close() by both ends at once: each gets the code of the other', async (t) => {
  const { client, peer } = await pair(t);
  const [a, b] = [once(client, 'close'), once(peer, 'close')];
  client.close(4001, 'client');
  peer.close(4002, 'server');
  assert.deepStrictEqual(await a, [4002, Buffer.from('server')]);
  assert.deepStrictEqual(await b, [4001, Buffer.from('client')]);
});

test("a message sent before close() arrives before 'close'", async (t) => {
  const { client, peer } = await pair(t);
  const log = record(peer, EVENTS);
  client.send('last words');
  client.close(1000);
  await once(client, 'close');
  await until(() => log.length === 2);
  assert.deepStrictEqual(log, [
    ['message', Buffer.from('last words'), false],
    ['close', 1000, Buffer.alloc(0)]
  ]);
});

test('a large message followed by close() at once arrives whole', async (t) => {
  const { client, peer } = await pair(t);
  const log = record(peer, EVENTS);
  client.send(Buffer.alloc(8 << 20, 5));
  client.close(1000);
  await until(() => log.length === 2);
  assert.strictEqual(log[0][1].length, 8 << 20);
  assert.deepStrictEqual(log[1], ['close', 1000, Buffer.alloc(0)]);
});

test('a reply to a message that came in one packet with the close frame is not lost', async (t) => {
  const wss = await serve(t, {}, (ws) => {
    ws.on('message', (data) => {
      assert.strictEqual(ws.readyState, WebSocket.OPEN);
      ws.send(`re: ${data}`);
    });
  });
  const client = await connect(t, wss.testUrl);
  const log = record(client, EVENTS);
  client.send('hello');
  client.close(1000);
  await until(() => log.length === 2);
  assert.deepStrictEqual(log, [
    ['message', Buffer.from('re: hello'), false],
    ['close', 1000, Buffer.alloc(0)]
  ]);
});

test('the same on the wire: the reply stands before the close frame', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  ws.on('message', (data) => ws.send(`re: ${data}`));
  raw.write(Buffer.concat([raw.build(OP.TEXT, 'hello'), raw.build(OP.CLOSE, closePayload(1000))]));
  const reply = await raw.frame();
  assert.deepStrictEqual([reply.opcode, String(reply.payload)], [OP.TEXT, 're: hello']);
  assert.strictEqual(await raw.closeFrame(), 1000);
  await raw.end();
});

test('a close handler of the message listener: close() inside a listener', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  ws.on('message', () => ws.close(3000, 'in listener'));
  const closed = once(ws, 'close');
  raw.send(OP.TEXT, 'x');
  assert.deepStrictEqual((await raw.frame()).payload, closePayload(3000, 'in listener'));
  raw.send(OP.CLOSE, closePayload(3000));
  assert.deepStrictEqual(await closed, [3000, Buffer.alloc(0)]);
});

test('messages go on to arrive after close() until the close frame of the peer', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const log = record(ws, EVENTS);
  ws.close(1000);
  assert.strictEqual(await raw.closeFrame(), 1000);
  raw.send(OP.TEXT, 'one');
  raw.send(OP.BINARY, 'two');
  raw.send(OP.CLOSE, closePayload(1001));
  raw.send(OP.TEXT, 'too late');
  await until(() => log.at(-1)?.[0] === 'close');
  assert.deepStrictEqual(log, [
    ['message', Buffer.from('one'), false],
    ['message', Buffer.from('two'), true],
    ['close', 1001, Buffer.alloc(0)]
  ]);
});

test('bytes after a close frame are ignored, a second close frame too', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const log = record(ws, [...EVENTS, 'ping']);
  raw.write(
    Buffer.concat([
      raw.build(OP.CLOSE, closePayload(1000)),
      raw.build(OP.TEXT, 'late'),
      raw.build(OP.PING, 'late'),
      raw.build(OP.CLOSE, closePayload(1001)),
      Buffer.from([0xff, 0xff, 0xff])
    ])
  );
  assert.strictEqual(await raw.closeFrame(), 1000);
  assert.strictEqual((await raw.rest()).length, 0);
  await until(() => log.length > 0);
  assert.deepStrictEqual(log, [['close', 1000, Buffer.alloc(0)]]);
});

test('readyState is CLOSING for the whole closing handshake and CLOSED in the listener', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  ws.close(1000);
  await raw.closeFrame();
  assert.strictEqual(ws.readyState, WebSocket.CLOSING);
  const state = new Promise((resolve) => ws.on('close', () => resolve(ws.readyState)));
  raw.send(OP.CLOSE, closePayload(1000));
  assert.strictEqual(await state, WebSocket.CLOSED);
});

test('a FIN without a close frame: 1006, no error', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const log = record(ws, EVENTS);
  raw.send(OP.TEXT, 'x');
  raw.socket.end();
  await until(() => log.length === 2);
  assert.deepStrictEqual(log, [
    ['message', Buffer.from('x'), false],
    ['close', 1006, Buffer.alloc(0)]
  ]);
  await raw.end();
  assert.strictEqual(raw.data.length, 0);
});

test('a FIN in the middle of a frame: 1006, no error', async (t) => {
  const { client, raw } = await clientAndWire(t);
  const log = record(client, EVENTS);
  raw.write(raw.build(OP.BINARY, Buffer.alloc(100)).subarray(0, 50));
  raw.socket.end();
  await until(() => log.length > 0);
  assert.deepStrictEqual(log, [['close', 1006, Buffer.alloc(0)]]);
});

test("a reset after open: only 'close' 1006", async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const log = record(ws, EVENTS);
  raw.reset();
  await until(() => log.length > 0);
  assert.deepStrictEqual(log, [['close', 1006, Buffer.alloc(0)]]);
  assert.strictEqual(ws.readyState, WebSocket.CLOSED);
});

test('a FIN instead of the answer to close(): 1006', async (t) => {
  const { client, raw } = await clientAndWire(t);
  const closed = once(client, 'close');
  client.close(1000);
  await raw.closeFrame();
  raw.socket.end();
  assert.deepStrictEqual(await closed, [1006, Buffer.alloc(0)]);
});

test('closeTimeout: the socket is destroyed when the peer does not answer', async (t) => {
  const { client, raw } = await clientAndWire(t, { closeTimeout: 50 });
  const closed = once(client, 'close');
  client.close(1000);
  assert.strictEqual(await raw.closeFrame(), 1000);
  assert.deepStrictEqual(await closed, [1006, Buffer.alloc(0)]);
  await raw.end();
});

test('closeTimeout on the server, and after a close frame whose sender keeps the socket', async (t) => {
  const { ws, raw } = await serverAndWire(t, { closeTimeout: 50 });
  const closed = once(ws, 'close');
  raw.socket.allowHalfOpen = true;
  raw.send(OP.CLOSE, closePayload(1001, 'half'));
  assert.strictEqual(await raw.closeFrame(), 1001);
  assert.deepStrictEqual(await closed, [1001, Buffer.from('half')]);
});

test('terminate(): 1006 on both ends, CLOSING at once, no close frame', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const closed = once(ws, 'close');
  ws.terminate();
  assert.strictEqual(ws.readyState, WebSocket.CLOSING);
  assert.deepStrictEqual(await closed, [1006, Buffer.alloc(0)]);
  assert.strictEqual((await raw.rest()).length, 0);

  const both = await pair(t);
  const [a, b] = [once(both.client, 'close'), once(both.peer, 'close')];
  both.client.terminate();
  assert.deepStrictEqual(await a, [1006, Buffer.alloc(0)]);
  assert.deepStrictEqual(await b, [1006, Buffer.alloc(0)]);
});

test("terminate() is asynchronous: 'close' never fires inside the call", async (t) => {
  const { client } = await pair(t);
  let inside = true;
  const state = new Promise((resolve) => client.on('close', () => resolve(inside)));
  client.terminate();
  inside = false;
  assert.strictEqual(await state, false);
});

test('terminate() after close(): 1006 unless the answer was there', async (t) => {
  const { client, raw } = await clientAndWire(t);
  const closed = once(client, 'close');
  client.close(1000);
  await raw.closeFrame();
  client.terminate();
  assert.deepStrictEqual(await closed, [1006, Buffer.alloc(0)]);
});

test('terminate() inside a message listener', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const log = record(ws, ['close', 'error']);
  ws.once('message', () => ws.terminate());
  raw.write(Buffer.concat([raw.build(OP.TEXT, 'a'), raw.build(OP.TEXT, 'b')]));
  await until(() => log.length > 0);
  assert.deepStrictEqual(log, [['close', 1006, Buffer.alloc(0)]]);
  await raw.end();
});

test("'close' fires once, and nothing after it", async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const log = record(ws, [...EVENTS, 'ping', 'pong']);
  raw.send(OP.CLOSE, closePayload(1000));
  await raw.end();
  await until(() => log.length > 0);
  ws.close();
  ws.terminate();
  ws.pause();
  ws.resume();
  await turn();
  assert.strictEqual(log.length, 1);
});

test('a close reason that is kept is unchanged by later traffic', async (t) => {
  const { wss, ws, raw } = await serverAndWire(t);
  const closed = once(ws, 'close');
  raw.send(OP.CLOSE, closePayload(1000, 'keep me'));
  const [, reason] = await closed;
  const other = await connect(t, wss.testUrl);
  for (let i = 0; i < 50; i++) other.send(Buffer.alloc(2000, 0xff));
  await turn();
  assert.strictEqual(String(reason), 'keep me');
});

test('what was sent in the tick of terminate() arrives', async (t) => {
  const { client, peer } = await pair(t);
  const message = once(peer, 'message');
  const closed = once(peer, 'close');
  client.send('bye');
  client.terminate();
  assert.strictEqual(String((await message)[0]), 'bye');
  assert.strictEqual((await closed)[0], 1006);
});

test('the same on 100 connections', async (t) => {
  const got = [];
  let closed = 0;
  const wss = await serve(t, {}, (ws) => {
    ws.on('message', (data) => got.push(String(data)));
    ws.on('close', () => closed++);
  });
  const visit = async (i) => {
    const client = await connect(t, wss.testUrl);
    // at different points of whatever else goes on
    await delay(i % 4);
    client.send('bye');
    client.terminate();
  };
  for (let round = 0; round < 5; round++) {
    await Promise.all(Array.from({ length: 20 }, (_, i) => visit(i)));
  }
  await until(() => closed === 100, 'all to be closed');
  assert.deepStrictEqual(got, Array(100).fill('bye'));
});

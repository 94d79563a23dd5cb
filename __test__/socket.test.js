'use strict';

// `ws._socket` and `req.socket`: private in name, but used by many applications.

const assert = require('node:assert');
const {
  connect,
  delay,
  echo,
  listen,
  messages,
  once,
  pair,
  record,
  test,
  turn,
  until,
  within
} = require('./support/helpers');
const {
  DESCRIPTOR,
  EXTERNAL,
  HOST,
  NET_SOCKET,
  SERVER,
  TLS,
  isTls
} = require('./support/carriers');
const { WebSocketServer } = require('./support/impl');
const { OP, closePayload, rawAcceptor, rawClient } = require('./support/raw-peer');
const { serverAndWire } = require('./support/wire');

const closeOf = (socket) =>
  within(new Promise((resolve) => socket.once('close', resolve)), 'close');

test('it is the socket of the server and of the request', { carriers: SERVER }, async (t) => {
  const server = await listen(t);
  const accepted = [];
  server.on(isTls ? 'secureConnection' : 'connection', (socket) => accepted.push(socket));
  const wss = new WebSocketServer({ server });
  const connection = once(wss, 'connection');
  await rawClient(t, server.testPort);
  const [ws, req] = await connection;
  assert.strictEqual(ws._socket, accepted[0]);
  assert.strictEqual(req.socket, accepted[0]);
});

test('it stays the same object, also when the WebSocket is closed', async (t) => {
  const { client, peer } = await pair(t);
  const sockets = [client._socket, peer._socket];
  const closed = Promise.all([once(client, 'close'), once(peer, 'close')]);
  client.close();
  await closed;
  assert.deepStrictEqual(
    [client._socket === sockets[0], peer._socket === sockets[1]],
    [true, true]
  );
  assert.deepStrictEqual([sockets[0].destroyed, sockets[1].destroyed], [true, true]);
});

test('addresses, on both ends', async (t) => {
  const { client, peer } = await pair(t);
  const [a, b] = [client._socket, peer._socket];
  assert.deepStrictEqual([a.remoteAddress, b.remoteAddress], [HOST, HOST]);
  assert.deepStrictEqual([a.localAddress, b.localAddress], [HOST, HOST]);
  assert.strictEqual(a.remoteFamily, 'IPv4');
  assert.strictEqual(a.remotePort, b.localPort);
  assert.strictEqual(b.remotePort, a.localPort);
});

test('address()', { carriers: NET_SOCKET }, async (t) => {
  const { client, peer } = await pair(t);
  for (const { _socket: socket } of [client, peer]) {
    assert.deepStrictEqual(socket.address(), {
      address: HOST,
      family: 'IPv4',
      port: socket.localPort
    });
  }
});

test('the addresses can be read when the peer is gone', { carriers: NET_SOCKET }, async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const { remotePort } = ws._socket;
  const address = new Promise((resolve) => {
    ws.on('message', () => resolve(ws._socket.remoteAddress));
  });
  raw.write(Buffer.concat([raw.build(OP.TEXT, 'x'), raw.build(OP.CLOSE, '')]));
  assert.strictEqual(await address, HOST);
  assert.ok(remotePort > 0);
});

for (const [title, error] of [
  ['destroy()', undefined],
  ['destroy(err)', new Error('mine')]
]) {
  test(`${title}: 'close' 1006, no error, and the peer sees the end`, async (t) => {
    const { ws, raw } = await serverAndWire(t);
    const log = record(ws, ['error', 'close']);
    assert.strictEqual(ws._socket.destroyed, false);
    assert.strictEqual(ws._socket.destroy(error), ws._socket);
    assert.strictEqual(ws._socket.destroyed, true);
    await raw.end();
    await until(() => log.length > 0);
    assert.deepStrictEqual(log, [['close', 1006, Buffer.alloc(0)]]);
    assert.strictEqual(raw.data.length, 0);
  });
}

test('what was sent in the tick of destroy() or end() arrives', async (t) => {
  for (const method of ['destroy', 'end']) {
    const { ws, raw } = await serverAndWire(t);
    ws.send('bye');
    ws._socket[method]();
    assert.strictEqual(String((await raw.frame()).payload), 'bye', method);
    assert.strictEqual((await raw.rest()).length, 0);
  }
});

test("'close' of it when the peer leaves, by FIN, reset, or a close frame", async (t) => {
  for (const leave of [
    (raw) => raw.socket.end(),
    (raw) => raw.reset(),
    (raw) => raw.send(OP.CLOSE, closePayload(1000))
  ]) {
    const { ws, raw } = await serverAndWire(t);
    const both = [closeOf(ws._socket), once(ws, 'close')];
    leave(raw);
    await Promise.all(both);
    assert.strictEqual(ws._socket.destroyed, true);
  }
});

test("'close' of it, and `destroyed`, on a client", async (t) => {
  const { client, peer } = await pair(t);
  const closed = closeOf(client._socket);
  peer.terminate();
  await closed;
  assert.strictEqual(client._socket.destroyed, true);
});

test('write() puts raw bytes between the frames', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  ws.send('one');
  const written = new Promise((resolve, reject) => {
    const frame = new RawFrame('two');
    ws._socket.write(frame.bytes, (err) => (err ? reject(err) : resolve()));
  });
  ws.send('three');
  for (const text of ['one', 'two', 'three']) {
    assert.strictEqual(String((await raw.frame()).payload), text);
  }
  await written;
});

test('write() in pieces, then send(): nothing is overtaken', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const { bytes } = new RawFrame('pieces');
  ws._socket.write(bytes.subarray(0, 2));
  ws._socket.write(bytes.subarray(2));
  ws.send('sent');
  for (const text of ['pieces', 'sent']) {
    assert.strictEqual(String((await raw.frame()).payload), text);
  }
});

/** An unmasked text frame. */
class RawFrame {
  constructor(text) {
    this.bytes = Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)]);
  }
}

test('end(): what was sent arrives, no close frame, then 1006', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const closed = once(ws, 'close');
  ws.send('last');
  ws._socket.end();
  assert.strictEqual(String((await raw.frame()).payload), 'last');
  assert.strictEqual((await raw.rest()).length, 0);
  assert.strictEqual((await closed)[0], 1006);
});

test('end(bytes)', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  ws._socket.end(new RawFrame('last').bytes);
  assert.strictEqual(String((await raw.frame()).payload), 'last');
  assert.strictEqual((await raw.rest()).length, 0);
});

test("'drain' follows a write() that returned false", async (t) => {
  const { ws, raw } = await serverAndWire(t);
  raw.socket.pause();
  const block = Buffer.alloc(1 << 20);
  let writes = 0;
  do {
    writes++;
  } while (ws._socket.write(block) && writes < 64);
  const drained = new Promise((resolve) => ws._socket.once('drain', resolve));
  // now Node holds on to some of it, whatever the kernel has taken
  raw.socket.resume();
  await within(drained, "'drain'");
});

test("'data': listeners of it see the bytes of the frames", async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const chunks = [];
  ws._socket.on('data', (chunk) => chunks.push(chunk));
  const got = messages(ws, 2);
  // with a mask of zeros, for ws unmasks in place
  const mask = Buffer.alloc(4);
  const bytes = Buffer.concat([
    raw.build(OP.TEXT, 'one', { mask }),
    raw.build(OP.BINARY, 'two', { mask })
  ]);
  raw.write(bytes);
  await got;
  assert.deepStrictEqual(Buffer.concat(chunks), bytes);
});

test('pause() and resume() of it hold the messages up', async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const log = record(ws, ['message']);
  ws._socket.pause();
  raw.send(OP.TEXT, 'held');
  await delay(50);
  assert.deepStrictEqual(log, []);
  assert.strictEqual(ws._socket.isPaused(), true);
  ws._socket.resume();
  await until(() => log.length === 1);
  assert.strictEqual(String(log[0][1]), 'held');
});

test('setNoDelay, setKeepAlive, setTimeout return it', { carriers: NET_SOCKET }, async (t) => {
  const { client, peer } = await pair(t, {});
  echo(peer);
  for (const { _socket: socket } of [client, peer]) {
    for (const on of [true, false]) {
      assert.strictEqual(socket.setNoDelay(on), socket);
      assert.strictEqual(socket.setKeepAlive(on, 1000), socket);
    }
    assert.strictEqual(socket.setTimeout(0), socket);
    assert.strictEqual(socket.timeout, 0);
    assert.strictEqual(socket.setTimeout(50000), socket);
    assert.strictEqual(socket.timeout, 50000);
  }
  const got = messages(client, 1);
  client.send('still good');
  assert.strictEqual(String((await got)[0][0]), 'still good');
});

test("setTimeout(): 'timeout' after inactivity only", { carriers: NET_SOCKET }, async (t) => {
  const { ws, raw } = await serverAndWire(t, {}, echo);
  const TIMEOUT = 200;
  let last = Date.now();
  const idle = [];
  const timedOut = new Promise((resolve) => {
    ws._socket.setTimeout(TIMEOUT, () => {
      idle.push(Date.now() - last);
      if (done) resolve();
    });
  });
  let done = false;
  // three times as long as the timeout, with something happening every quarter of it
  for (let i = 0; i < 12; i++) {
    raw.send(OP.TEXT, String(i));
    await raw.frame();
    last = Date.now();
    await delay(TIMEOUT / 4);
  }
  done = true;
  await within(timedOut, "'timeout'");
  for (const ms of idle) assert.ok(ms > TIMEOUT / 2, `after ${ms} ms`);
  // it says so, and closes nothing
  raw.send(OP.TEXT, 'open');
  assert.strictEqual(String((await raw.frame()).payload), 'open');
});

test('setTimeout(0) switches it off', { carriers: NET_SOCKET }, async (t) => {
  const { ws, raw } = await serverAndWire(t, {}, echo);
  ws._socket.setTimeout(30, () => assert.fail('not expected'));
  ws._socket.setTimeout(0);
  await delay(80);
  raw.send(OP.TEXT, 'open');
  assert.strictEqual(String((await raw.frame()).payload), 'open');
});

test('bytesRead and bytesWritten count the frames', { carriers: DESCRIPTOR }, async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const { bytesRead, bytesWritten } = ws._socket;
  assert.strictEqual(bytesWritten, raw.response.length + 4);
  assert.ok(bytesRead > 100, 'the request');
  const frames = [raw.build(OP.TEXT, 'hello'), raw.build(OP.BINARY, Buffer.alloc(100000))];
  const got = messages(ws, 2);
  raw.write(Buffer.concat(frames));
  await got;
  assert.strictEqual(ws._socket.bytesRead - bytesRead, frames[0].length + frames[1].length);
  await new Promise((resolve) => ws.send(Buffer.alloc(70000), resolve));
  await new Promise((resolve) => ws.send('text', resolve));
  assert.strictEqual(ws._socket.bytesWritten - bytesWritten, 70000 + 10 + 4 + 2);
  await raw.frame();
});

test('bytesRead and bytesWritten of a client grow', { carriers: NET_SOCKET }, async (t) => {
  const server = await rawAcceptor(t);
  const client = await connect(t, server.url);
  const raw = await server.next();
  const { bytesRead, bytesWritten } = client._socket;
  assert.ok(bytesRead > 0 && bytesWritten > 0);
  const got = messages(client, 1);
  raw.send(OP.BINARY, Buffer.alloc(5000));
  await got;
  assert.ok(client._socket.bytesRead >= bytesRead + 5000);
  await new Promise((resolve) => client.send(Buffer.alloc(5000), resolve));
  assert.ok(client._socket.bytesWritten >= bytesWritten + 5000);
});

test('_handle.fd is a number, another one for each', { carriers: NET_SOCKET }, async (t) => {
  const { client, peer } = await pair(t);
  const fds = [client, peer].map((ws) => ws._socket._handle.fd);
  for (const fd of fds) assert.ok(Number.isInteger(fd) && fd > 0, String(fd));
  assert.notStrictEqual(fds[0], fds[1]);
});

test('encrypted: true over TLS, else undefined', async (t) => {
  const { client, peer, req } = await pair(t);
  for (const socket of [client._socket, req.socket]) {
    assert.strictEqual(socket.encrypted, isTls || undefined);
  }
  assert.strictEqual(Boolean(peer._socket.encrypted), isTls);
});

test('over TLS: certificate, protocol, cipher, session', { carriers: TLS }, async (t) => {
  const { client, peer } = await pair(t);
  assert.strictEqual(client._socket.authorized, true);
  assert.strictEqual(client._socket.getPeerCertificate().subject.CN, 'server');
  assert.strictEqual(peer._socket.getCertificate().subject.CN, 'server');
  for (const { _socket: socket } of [client, peer]) {
    assert.match(socket.getProtocol(), /^TLSv1\./);
    assert.strictEqual(typeof socket.getCipher().name, 'string');
  }
});

test('removeAllListeners(name) of the application; the WebSocket goes on', async (t) => {
  const { ws, raw } = await serverAndWire(t, {}, echo);
  ws._socket.on('timeout', () => assert.fail('not expected'));
  ws._socket.on('drain', () => assert.fail('not expected'));
  assert.strictEqual(ws._socket.removeAllListeners('timeout'), ws._socket);
  ws._socket.removeAllListeners('drain');
  ws._socket.emit('timeout');
  ws._socket.emit('drain');
  raw.send(OP.TEXT, 'x');
  assert.strictEqual(String((await raw.frame()).payload), 'x');
});

test('removeAllListeners(), then destroy(): the peer sees the end', async (t) => {
  // nobody may tell the server that it has gone
  const { ws, raw } = await serverAndWire(t, { clientTracking: false });
  ws._socket.removeAllListeners();
  ws._socket.destroy();
  await raw.end();
  assert.strictEqual(ws._socket.destroyed, true);
});

test('an error of it has no need of a listener', { carriers: EXTERNAL }, async (t) => {
  const { ws, raw } = await serverAndWire(t);
  const errors = record(ws._socket, ['error']);
  const closed = once(ws, 'close');
  raw.reset();
  assert.strictEqual((await closed)[0], 1006);
  await turn();
  assert.ok(errors.length <= 1);
});

test('readable and writable while OPEN, not when it is gone', async (t) => {
  const { client, peer } = await pair(t);
  for (const { _socket: socket } of [client, peer]) {
    assert.deepStrictEqual([socket.readable, socket.writable], [true, true]);
  }
  const closed = Promise.all([once(client, 'close'), once(peer, 'close')]);
  client.close();
  await closed;
  for (const { _socket: socket } of [client, peer]) {
    assert.deepStrictEqual([socket.readable, socket.writable], [false, false]);
  }
});

'use strict';

// WebSockets over HTTP/2, RFC 8441: an extended CONNECT, and setSocket() on the stream.

const assert = require('node:assert');
const http2 = require('node:http2');
const WebSocket = require('./support/impl');
const { HOST } = require('./support/carriers');
const { prose } = require('./support/deflate');
const { discard, echo, messages, once, record, test, until, within } = require('./support/helpers');

const NO_HEAD = Buffer.alloc(0);
const NAME = 'permessage-deflate';
const EXTENSIONS = 'sec-websocket-extensions';
const { PerMessageDeflate, extension } = WebSocket;
const { HTTP2_HEADER_METHOD, HTTP2_HEADER_STATUS, NGHTTP2_CANCEL } = http2.constants;

/** A WebSocket on an HTTP/2 stream; `deflate` is the PerMessageDeflate that has agreed. */
function attach(t, stream, isServer, deflate) {
  const ws = new WebSocket(null, undefined, { closeTimeout: 30000, autoPong: true });
  ws._isServer = isServer;
  if (deflate) ws._extensions = { [NAME]: deflate };
  ws.setSocket(stream, NO_HEAD, { maxPayload: 0 });
  t.after(() => discard(ws));
  return ws;
}

/** A server that takes each extended CONNECT, with `perMessageDeflate`, and a session with it. */
async function session(t, onSocket, perMessageDeflate) {
  const server = http2.createServer({ settings: { enableConnectProtocol: true } });
  server.on('stream', (stream, headers) => {
    assert.strictEqual(headers[HTTP2_HEADER_METHOD], 'CONNECT');
    assert.strictEqual(headers[':protocol'], 'websocket');
    const answer = { [HTTP2_HEADER_STATUS]: 200 };
    let deflate;
    if (perMessageDeflate) {
      deflate = new PerMessageDeflate({ ...perMessageDeflate, isServer: true });
      answer[EXTENSIONS] = accepted(deflate, headers);
    }
    stream.respond(answer);
    onSocket(attach(t, stream, true, deflate), headers);
  });
  await new Promise((resolve) => server.listen(0, HOST, resolve));
  const client = http2.connect(`http://${HOST}:${server.address().port}`);
  client.on('error', () => {});
  t.after(() => {
    client.destroy();
    server.close();
  });
  await once(client, 'remoteSettings');
  return client;
}

/** What `deflate` makes of the other end's header, as a header. */
function accepted(deflate, headers) {
  const params = deflate.accept(extension.parse(headers[EXTENSIONS])[NAME]);
  return extension.format({ [NAME]: params });
}

/** A client's WebSocket on a stream of `client`, which offers `perMessageDeflate`. */
async function open(t, client, path = '/', perMessageDeflate = undefined) {
  const deflate = perMessageDeflate && new PerMessageDeflate(perMessageDeflate);
  const offer = deflate && { [EXTENSIONS]: extension.format({ [NAME]: deflate.offer() }) };
  const stream = client.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': path,
    'sec-websocket-version': '13',
    ...offer
  });
  const [headers] = await within(
    new Promise((resolve) => stream.on('response', (...args) => resolve(args))),
    "'response'"
  );
  assert.strictEqual(headers[HTTP2_HEADER_STATUS], 200);
  if (deflate) accepted(deflate, headers);
  return attach(t, stream, false, deflate);
}

test('messages of all sizes, both ways', async (t) => {
  const client = await session(t, echo);
  const ws = await open(t, client);
  const sizes = [0, 1, 125, 126, 16384, 65536, 1 << 20];
  const got = messages(ws, sizes.length + 1);
  ws.send('text');
  sizes.forEach((size, i) => ws.send(Buffer.alloc(size, i)));
  const [text, ...binary] = await got;
  assert.deepStrictEqual([String(text[0]), text[1]], ['text', false]);
  binary.forEach(([data, isBinary], i) => {
    assert.strictEqual(isBinary, true);
    assert.ok(data.equals(Buffer.alloc(sizes[i], i)), `${sizes[i]} bytes`);
  });
});

test('two WebSockets of one session do not mix; one may close', async (t) => {
  const client = await session(t, (ws, headers) => {
    ws.on('message', (data) => ws.send(`${headers[':path']} ${data}`));
  });
  const [a, b] = await Promise.all([open(t, client, '/a'), open(t, client, '/b')]);
  const got = [messages(a, 1), messages(b, 1)];
  a.send('1');
  b.send('2');
  assert.strictEqual(String((await got[0])[0][0]), '/a 1');
  assert.strictEqual(String((await got[1])[0][0]), '/b 2');
  const closed = once(a, 'close');
  a.close(1000, 'enough');
  assert.deepStrictEqual(await closed, [1000, Buffer.from('enough')]);
  const more = messages(b, 1);
  b.send('3');
  assert.strictEqual(String((await more)[0][0]), '/b 3');
});

test('the closing handshake from the server', async (t) => {
  const client = await session(t, (ws) => ws.close(4000, 'go'));
  const ws = await open(t, client);
  assert.deepStrictEqual(await once(ws, 'close'), [4000, Buffer.from('go')]);
});

test("a stream that is reset: only 'close' 1006", async (t) => {
  let peer;
  const client = await session(t, (ws) => {
    peer = record(ws, ['error', 'close']);
  });
  const ws = await open(t, client);
  const log = record(ws, ['error', 'close']);
  ws._socket.close(NGHTTP2_CANCEL);
  await until(() => log.length > 0 && peer.length > 0);
  assert.deepStrictEqual(log, [['close', 1006, Buffer.alloc(0)]]);
  assert.deepStrictEqual(peer, [['close', 1006, Buffer.alloc(0)]]);
});

test("a session that is gone: 'close' 1006 for each of its WebSockets", async (t) => {
  const client = await session(t, echo);
  const list = await Promise.all([open(t, client), open(t, client)]);
  const closed = list.map((ws) => once(ws, 'close'));
  client.destroy();
  for (const args of await Promise.all(closed)) assert.strictEqual(args[0], 1006);
});

test('pause() pushes back through the flow control of the stream', async (t) => {
  let server;
  const client = await session(t, (ws) => {
    server = ws;
  });
  const ws = await open(t, client);
  let received = 0;
  server.on('message', (data) => {
    received += data.length;
  });
  server.pause();
  for (let i = 0; i < 20; i++) ws.send(Buffer.alloc(100000));
  let last = -1;
  while (ws.bufferedAmount !== last) {
    last = ws.bufferedAmount;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  assert.ok(last > 0);
  assert.strictEqual(received, 0);
  server.resume();
  await until(() => received === 20 * 100000);
});

for (const [title, accepts, offers] of [
  ['context takeover', {}, {}],
  ['no context takeover', { serverNoContextTakeover: true, clientNoContextTakeover: true }, {}],
  ['windows of 9 bits', { serverMaxWindowBits: 9, clientMaxWindowBits: 9 }, {}],
  ['what the client asks for', {}, { serverNoContextTakeover: true, serverMaxWindowBits: 10 }]
]) {
  test(`permessage-deflate, both ways: ${title}`, async (t) => {
    let peer;
    const onSocket = (ws) => echo((peer = ws));
    const client = await session(t, onSocket, accepts);
    const ws = await open(t, client, '/', offers);
    assert.deepStrictEqual([ws.extensions, peer.extensions], [NAME, NAME]);
    const { bytesRead, bytesWritten } = client.socket;
    const texts = [0, 1, 2000, 100, 70000, 2000, 300000, 5].map(prose);
    const got = messages(ws, texts.length);
    texts.forEach((text, i) => ws.send(text, { binary: i % 2 === 0 }));
    (await got).forEach(([data, isBinary], i) => {
      assert.strictEqual(isBinary, i % 2 === 0);
      assert.ok(String(data) === texts[i], `${texts[i].length} bytes`);
    });
    // of 374,106 bytes
    assert.ok(client.socket.bytesWritten - bytesWritten < 100000);
    assert.ok(client.socket.bytesRead - bytesRead < 100000);
  });
}

test('permessage-deflate: what is sent before a close arrives before it', async (t) => {
  const text = prose(500000);
  const onSocket = (ws) => {
    ws.send(text);
    ws.ping('ping');
    ws.send('behind', { compress: false });
    ws.close(4000);
  };
  const ws = await open(t, await session(t, onSocket, {}), '/', {});
  const log = record(ws, ['message', 'ping', 'close']);
  await once(ws, 'close');
  assert.deepStrictEqual(
    log.map(([name, arg]) => [
      name,
      typeof arg === 'number' ? arg : String(arg) === text || String(arg)
    ]),
    [
      ['message', true],
      ['ping', 'ping'],
      ['message', 'behind'],
      ['close', 4000]
    ]
  );
});

test('permessage-deflate: a stream that is reset while messages are compressed', async (t) => {
  let peer;
  const onSocket = (ws) => {
    peer = record(ws, ['error', 'close']);
    for (let i = 0; i < 20; i++) ws.send(prose(500000));
  };
  const ws = await open(t, await session(t, onSocket, {}), '/', {});
  await messages(ws, 1);
  const log = record(ws, ['error', 'close']);
  ws._socket.close(NGHTTP2_CANCEL);
  await until(() => log.length > 0 && peer.length > 0);
  assert.deepStrictEqual(log, [['close', 1006, Buffer.alloc(0)]]);
  assert.deepStrictEqual(peer, [['close', 1006, Buffer.alloc(0)]]);
});

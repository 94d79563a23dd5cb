'use strict';

const assert = require('node:assert');
const http = require('node:http');
const WebSocket = require('./support/impl');
const {
  HOST,
  connect,
  dial,
  echo,
  messages,
  once,
  serve,
  test,
  turn
} = require('./support/helpers');
const { PORT, createServer, isTls } = require('./support/carriers');
const { OP, rawClient, rawConnect, upgradeRequest } = require('./support/raw-peer');

const { WebSocketServer } = WebSocket;

async function answer(t, wss, request) {
  const peer = await rawConnect(t, wss.testPort);
  peer.write(upgradeRequest(request));
  return (await peer.rest()).toString('latin1');
}

const refusal = (status, body, extra = []) =>
  [
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: text/html',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...extra,
    '',
    body
  ].join('\r\n');

test('port, server, noServer: exactly one, else TypeError', () => {
  const server = http.createServer();
  const expected = {
    name: 'TypeError',
    message: 'One and only one of the "port", "server", or "noServer" options must be specified'
  };
  for (const options of [
    undefined,
    {},
    { port: null },
    { port: undefined, server: null, noServer: false },
    { port: 0, server },
    { port: 0, noServer: true },
    { server, noServer: true },
    { port: 0, server, noServer: true }
  ]) {
    assert.throws(() => new WebSocketServer(options), expected);
  }
});

test('port: a value out of range is a RangeError', () => {
  for (const port of [-1, 65536, 1.5]) {
    assert.throws(() => new WebSocketServer({ port, host: HOST }), {
      name: 'RangeError',
      code: 'ERR_SOCKET_BAD_PORT'
    });
  }
});

test('port: a numeric string is a port', { carriers: PORT }, async (t) => {
  const wss = await serve(t, { port: '0' });
  assert.ok(wss.address().port > 0);
});

test('options: the defaults, and what the caller passed', { carriers: PORT }, async (t) => {
  const verifyClient = () => true;
  const wss = await serve(t, { verifyClient, custom: 1 });
  const { WebSocket: WebSocketClass, ...options } = wss.options;
  assert.strictEqual(WebSocketClass, WebSocket);
  const expected = {
    allowSynchronousEvents: true,
    autoPong: true,
    maxBufferedChunks: 262144,
    maxFragments: 16384,
    maxPayload: 104857600,
    maxPendingAutoPongs: 60,
    skipUTF8Validation: false,
    perMessageDeflate: false,
    handleProtocols: null,
    clientTracking: true,
    closeTimeout: 30000,
    verifyClient,
    noServer: false,
    backlog: null,
    server: null,
    host: HOST,
    path: null,
    port: 0,
    custom: 1
  };
  for (const [name, value] of Object.entries(expected)) {
    assert.strictEqual(options[name], value, name);
  }
});

test('options: the object of the caller is not changed', async (t) => {
  const options = Object.freeze({ port: 0, host: HOST, perMessageDeflate: false });
  await serve(t, options);
});

test("the callback is a listener of 'listening'", { carriers: PORT }, async (t) => {
  const called = new Promise((resolve) => {
    const wss = new WebSocketServer({ port: 0, host: HOST }, () => resolve(wss));
    t.after(() => wss.close());
  });
  assert.ok((await called).address().port > 0);
});

test('backlog is accepted', { carriers: PORT }, async (t) => {
  const wss = await serve(t, { backlog: 16 }, echo);
  await connect(t, wss.testUrl);
});

test('path is compared with the pathname; a mismatch is 400', async (t) => {
  const wss = await serve(t, { path: '/right' });
  const port = wss.testPort;
  await rawClient(t, port, { path: '/right' });
  await rawClient(t, port, { path: '/right?query=/x' });
  await rawClient(t, port, { path: '/right?' });
  for (const path of ['/', '/wrong', '/right/', '/Right', '/right%20', '/?/right']) {
    assert.strictEqual(await answer(t, wss, { path }), refusal(400, 'Bad Request'), path);
  }
});

test('shouldHandle(req) may be overridden on the instance', async (t) => {
  const wss = await serve(t, { path: '/ignored' });
  wss.shouldHandle = function (req) {
    assert.strictEqual(this, wss);
    assert.ok(req instanceof http.IncomingMessage);
    return req.url === '/yes';
  };
  await rawClient(t, wss.testPort, { path: '/yes' });
  assert.strictEqual(await answer(t, wss, { path: '/no' }), refusal(400, 'Bad Request'));
});

test('shouldHandle(req) may be overridden in a subclass', async (t) => {
  class Picky extends WebSocketServer {
    shouldHandle(req) {
      return super.shouldHandle(req) && req.headers['x-pass'] === '1';
    }
  }
  const picky = createServer({ path: '/p' }, Picky);
  t.after(() => picky.close());
  await once(picky, 'listening');
  const peer = await rawClient(t, picky.testPort, { path: '/p', headers: { 'X-Pass': '1' } });
  peer.destroy();
  assert.match(await answer(t, picky, { path: '/p' }), /^HTTP\/1\.1 400 /);
});

test('shouldHandle(req) by default', async (t) => {
  const wss = await serve(t, { path: '/p' });
  assert.strictEqual(wss.shouldHandle({ url: '/p' }), true);
  assert.strictEqual(wss.shouldHandle({ url: '/p?a' }), true);
  assert.strictEqual(wss.shouldHandle({ url: '/q' }), false);
});

test('verifyClient with one parameter: a synchronous boolean; info = { origin, secure, req }', async (t) => {
  const infos = [];
  const wss = await serve(t, {
    verifyClient(info) {
      infos.push(info);
      return info.req.headers.authorization === 'Bearer ok';
    }
  });
  await rawClient(t, wss.testPort, {
    headers: { Authorization: 'Bearer ok', Origin: 'http://o.test' }
  });
  assert.strictEqual(await answer(t, wss), refusal(401, 'Unauthorized'));
  assert.deepStrictEqual(Object.keys(infos[0]).sort(), ['origin', 'req', 'secure']);
  assert.strictEqual(infos[0].origin, 'http://o.test');
  assert.strictEqual(infos[0].secure, isTls);
  assert.ok(infos[0].req instanceof http.IncomingMessage);
  assert.strictEqual(infos[1].origin, undefined);
});

test('verifyClient: with version 8 the origin is Sec-WebSocket-Origin', async (t) => {
  const origins = [];
  const wss = await serve(t, { verifyClient: (info) => origins.push(info.origin) });
  const headers = { Origin: 'http://new', 'Sec-WebSocket-Origin': 'http://old' };
  await rawClient(t, wss.testPort, {
    headers: { ...headers, 'Sec-WebSocket-Version': '8' }
  });
  await rawClient(t, wss.testPort, { headers });
  assert.deepStrictEqual(origins, ['http://old', 'http://new']);
});

test('verifyClient with two parameters: cb(ok, code = 401, message, headers)', async (t) => {
  const wss = await serve(t, {
    verifyClient(info, cb) {
      const verdicts = {
        '/ok': [true],
        '/later': [true],
        '/default': [false],
        '/code': [false, 404],
        '/zero': [false, 0],
        '/message': [false, 403, 'No entry, señor'],
        '/headers': [false, 429, 'slow', { 'Retry-After': 120, Connection: 'x' }],
        '/ignored': [true, 500, 'not used', { 'X-Not': 'sent' }]
      };
      const reply = () => cb(...verdicts[info.req.url]);
      if (info.req.url === '/later') setTimeout(reply, 20);
      else reply();
    }
  });
  const port = wss.testPort;
  await rawClient(t, port, { path: '/ok' });
  await rawClient(t, port, { path: '/later' });
  const ignored = await rawClient(t, port, { path: '/ignored' });
  assert.doesNotMatch(ignored.response, /X-Not/);
  assert.strictEqual(await answer(t, wss, { path: '/default' }), refusal(401, 'Unauthorized'));
  assert.strictEqual(await answer(t, wss, { path: '/code' }), refusal(404, 'Not Found'));
  assert.strictEqual(await answer(t, wss, { path: '/zero' }), refusal(401, 'Unauthorized'));
  assert.strictEqual(
    Buffer.from(await answer(t, wss, { path: '/message' }), 'latin1').toString(),
    refusal(403, 'No entry, señor')
  );
  assert.strictEqual(
    await answer(t, wss, { path: '/headers' }),
    refusal(429, 'slow', ['Retry-After: 120']).replace('Connection: close', 'Connection: x')
  );
});

test('frames that arrive while verifyClient decides are delivered afterwards', async (t) => {
  const wss = await serve(t, { verifyClient: (info, cb) => setTimeout(cb, 30, true) }, echo);
  const peer = await rawConnect(t, wss.testPort);
  peer.write(Buffer.concat([Buffer.from(upgradeRequest()), peer.build(OP.TEXT, 'early')]));
  await turn();
  peer.send(OP.TEXT, 'still early');
  await peer.head();
  assert.strictEqual(String((await peer.frame()).payload), 'early');
  assert.strictEqual(String((await peer.frame()).payload), 'still early');
});

test('the client gets `Unexpected server response: 401` from verifyClient', async (t) => {
  const wss = await serve(t, { verifyClient: () => false });
  const client = dial(t, wss.testUrl);
  const [err] = await once(client, 'error');
  assert.strictEqual(err.message, 'Unexpected server response: 401');
});

test("handleProtocols unset: the client's first", async (t) => {
  const wss = await serve(t);
  const connection = once(wss, 'connection');
  const client = await connect(t, wss.testUrl, ['one', 'two']);
  const [ws] = await connection;
  assert.strictEqual(client.protocol, 'one');
  assert.strictEqual(ws.protocol, 'one');
});

test('subprotocol lists with spaces, tabs and several header lines', async (t) => {
  const lists = [];
  const wss = await serve(t, { handleProtocols: (set) => lists.push([...set]) && false });
  for (const value of ['a , b\t,c', ['a', 'b, c']]) {
    await rawClient(t, wss.testPort, { headers: { 'Sec-WebSocket-Protocol': value } });
  }
  assert.deepStrictEqual(lists, [
    ['a', 'b', 'c'],
    ['a', 'b', 'c']
  ]);
});

test('handleProtocols(Set, req): a string or false', async (t) => {
  const wss = await serve(t, {
    handleProtocols(protocols, req) {
      assert.ok(protocols instanceof Set);
      assert.ok(req instanceof http.IncomingMessage);
      assert.deepStrictEqual([...protocols], ['one', 'two']);
      return req.url === '/two' ? 'two' : req.url === '/other' ? 'other' : false;
    }
  });
  const port = wss.testPort;
  const headers = { 'Sec-WebSocket-Protocol': 'one, two' };
  const two = await rawClient(t, port, { path: '/two', headers });
  assert.match(two.response, /\r\nSec-WebSocket-Protocol: two$/);
  const none = await rawClient(t, port, { path: '/none', headers });
  assert.doesNotMatch(none.response, /Sec-WebSocket-Protocol/);
  const other = await rawClient(t, port, { path: '/other', headers });
  assert.match(other.response, /\r\nSec-WebSocket-Protocol: other$/);
});

test('handleProtocols is not called when the client offers none', async (t) => {
  const wss = await serve(t, { handleProtocols: () => assert.fail('not expected') });
  await rawClient(t, wss.testPort);
});

test('WebSocket: the subclass to instantiate', async (t) => {
  class Custom extends WebSocket {
    shout(text) {
      this.send(text.toUpperCase());
    }
  }
  const wss = await serve(t, { WebSocket: Custom }, (ws) => {
    assert.ok(ws instanceof Custom);
    ws.shout('hello');
  });
  const peer = await rawClient(t, wss.testPort);
  assert.strictEqual(String((await peer.frame()).payload), 'HELLO');
});

test('clientTracking: false leaves clients undefined', async (t) => {
  const wss = await serve(t, { clientTracking: false }, echo);
  assert.strictEqual(wss.clients, undefined);
  const client = await connect(t, wss.testUrl);
  client.send('x');
  await messages(client, 1);
  client.close();
  await once(client, 'close');
});

test("'wsClientError'(err, socket, req): the listener owns the socket", async (t) => {
  const wss = await serve(t);
  const errors = [];
  wss.on('wsClientError', (err, socket, req) => {
    errors.push([err.constructor.name, err.message, req.url]);
    assert.ok(req instanceof http.IncomingMessage);
    assert.strictEqual(socket.remoteAddress, HOST);
    socket.end(`HTTP/1.1 418 I'm a teapot\r\nConnection: close\r\n\r\n${err.message}`);
  });
  const cases = [
    [{ method: 'PUT' }, 'Invalid HTTP method'],
    [{ headers: { Upgrade: 'x' } }, 'Invalid Upgrade header'],
    [{ headers: { 'Sec-WebSocket-Key': 'x' } }, 'Missing or invalid Sec-WebSocket-Key header'],
    [
      { headers: { 'Sec-WebSocket-Version': '1' } },
      'Missing or invalid Sec-WebSocket-Version header'
    ],
    [{ headers: { 'Sec-WebSocket-Protocol': ',' } }, 'Invalid Sec-WebSocket-Protocol header']
  ];
  for (const [request, message] of cases) {
    const text = await answer(t, wss, { path: '/e', ...request });
    assert.strictEqual(text, `HTTP/1.1 418 I'm a teapot\r\nConnection: close\r\n\r\n${message}`);
    assert.deepStrictEqual(errors.pop(), ['Error', message, '/e']);
  }
});

test("'wsClientError': a listener that only destroys the socket, or answers later", async (t) => {
  const wss = await serve(t);
  wss.on('wsClientError', (err, socket, req) => {
    if (req.url === '/destroy') socket.destroy();
    else setTimeout(() => socket.end('late'), 20);
  });
  const headers = { 'Sec-WebSocket-Key': 'x' };
  assert.strictEqual(await answer(t, wss, { path: '/destroy', headers }), '');
  assert.strictEqual(await answer(t, wss, { path: '/late', headers }), 'late');
});

test("'wsClientError' is not for shouldHandle and verifyClient", async (t) => {
  const wss = await serve(t, { path: '/p', verifyClient: () => false });
  wss.on('wsClientError', () => assert.fail('not expected'));
  assert.strictEqual(await answer(t, wss, { path: '/x' }), refusal(400, 'Bad Request'));
  assert.strictEqual(await answer(t, wss, { path: '/p' }), refusal(401, 'Unauthorized'));
});

'use strict';

const assert = require('node:assert');
const http = require('node:http');
const WebSocket = require('./support/impl');
const {
  HOST,
  dial,
  echo,
  hawserTest,
  messages,
  once,
  serve,
  test,
  turn,
  until,
  within
} = require('./support/helpers');
const { PORT, httpUrlOf, isTls, request } = require('./support/carriers');
const {
  OP,
  SAMPLE_KEY,
  acceptFor,
  rawClient,
  rawConnect,
  upgradeRequest
} = require('./support/raw-peer');

/** Everything that `wss` answers to `request`, up to its FIN, as text. */
async function answer(t, wss, request) {
  const peer = await rawConnect(t, wss.testPort);
  peer.write(typeof request === 'string' ? request : upgradeRequest(request));
  return (await peer.rest()).toString('latin1');
}

/** The exact bytes of a refusal. */
function refusal(status, body, extra = []) {
  return [
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: text/html',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...extra,
    '',
    body
  ].join('\r\n');
}

const VERSIONS = ['Sec-WebSocket-Version: 13, 8'];
const KEY = 'Missing or invalid Sec-WebSocket-Key header';
const VERSION = 'Missing or invalid Sec-WebSocket-Version header';
const PROTOCOL = 'Invalid Sec-WebSocket-Protocol header';
const header = (name, value) => ({ headers: { [name]: value } });

// [title, request, status, body, further header lines]
const refusals = [
  ['a method other than GET', { method: 'POST' }, 405, 'Invalid HTTP method'],
  ['HEAD', { method: 'HEAD' }, 405, 'Invalid HTTP method'],
  ['Upgrade: foo', header('Upgrade', 'foo'), 400, 'Invalid Upgrade header'],
  ['no key', header('Sec-WebSocket-Key', null), 400, KEY],
  ['an empty key', header('Sec-WebSocket-Key', ''), 400, KEY],
  ['a short key', header('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25j'), 400, KEY],
  ['a long key', header('Sec-WebSocket-Key', `${SAMPLE_KEY}==`), 400, KEY],
  ['a key that is not base64', header('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25j!Q=='), 400, KEY],
  ['a repeated key', header('Sec-WebSocket-Key', [SAMPLE_KEY, SAMPLE_KEY]), 400, KEY],
  ['no version', header('Sec-WebSocket-Version', null), 400, VERSION, VERSIONS],
  ['an empty version', header('Sec-WebSocket-Version', ''), 400, VERSION, VERSIONS],
  ['version 12', header('Sec-WebSocket-Version', '12'), 400, VERSION, VERSIONS],
  ['version text', header('Sec-WebSocket-Version', 'x'), 400, VERSION, VERSIONS],
  ['a repeated version', header('Sec-WebSocket-Version', ['13', '13']), 400, VERSION, VERSIONS],
  ['an empty subprotocol', header('Sec-WebSocket-Protocol', ''), 400, PROTOCOL],
  ['a subprotocol list with a hole', header('Sec-WebSocket-Protocol', 'a,,b'), 400, PROTOCOL],
  ['a trailing comma', header('Sec-WebSocket-Protocol', 'a,'), 400, PROTOCOL],
  ['a space inside a subprotocol', header('Sec-WebSocket-Protocol', 'a b'), 400, PROTOCOL],
  ['a duplicate subprotocol', header('Sec-WebSocket-Protocol', 'a, b, a'), 400, PROTOCOL],
  ['a non-ASCII subprotocol', header('Sec-WebSocket-Protocol', 'caf\u00e9'), 400, PROTOCOL]
];

for (const [title, request, status, body, extra] of refusals) {
  test(`${status} for ${title}`, async (t) => {
    const wss = await serve(t, {}, () => assert.fail('no connection expected'));
    assert.strictEqual(await answer(t, wss, request), refusal(status, body, extra));
  });
}

test('the order of the checks: method, Upgrade, key, version, path, subprotocol', async (t) => {
  const wss = await serve(t, { path: '/right' });
  const request = {
    method: 'POST',
    headers: {
      Upgrade: 'foo',
      'Sec-WebSocket-Key': null,
      'Sec-WebSocket-Version': null,
      'Sec-WebSocket-Protocol': ','
    }
  };
  const expect = async (body, status = 400, extra = []) =>
    assert.strictEqual(await answer(t, wss, request), refusal(status, body, extra));
  await expect('Invalid HTTP method', 405);
  request.method = 'GET';
  await expect('Invalid Upgrade header');
  request.headers.Upgrade = 'WebSocket';
  await expect(KEY);
  request.headers['Sec-WebSocket-Key'] = SAMPLE_KEY;
  await expect(VERSION, 400, VERSIONS);
  request.headers['Sec-WebSocket-Version'] = '8';
  await expect('Bad Request');
  request.path = '/right';
  await expect(PROTOCOL);
});

test('the 101 is exactly these lines; key and accept are those of RFC 6455', async (t) => {
  const wss = await serve(t);
  const peer = await rawClient(t, wss.testPort);
  assert.strictEqual(acceptFor(SAMPLE_KEY), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  assert.strictEqual(
    peer.response,
    [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${acceptFor(SAMPLE_KEY)}`
    ].join('\r\n')
  );
});

test('accepted: header names and Upgrade in any case, Connection as a list, version 8', async (t) => {
  const wss = await serve(t);
  const port = wss.testPort;
  await rawClient(t, port, header('Upgrade', 'WEBSOCKET'));
  await rawClient(t, port, header('Connection', 'keep-alive, UpGrade'));
  await rawClient(t, port, header('Sec-WebSocket-Version', '8'));
  await rawClient(t, port, {
    headers: { Upgrade: null, upgrade: 'websocket', Connection: null, CONNECTION: 'upgrade' }
  });
  await rawClient(t, port, header('X-Padding', 'x'.repeat(8000)));
  await rawClient(t, port, { path: '/any/path?query=1&x=%20' });
});

test('an offer of permessage-deflate is not taken up', async (t) => {
  const wss = await serve(t, {}, echo);
  const peer = await rawClient(
    t,
    wss.testPort,
    header('Sec-WebSocket-Extensions', 'permessage-deflate; client_max_window_bits')
  );
  assert.doesNotMatch(peer.response, /extensions/i);
  peer.send(OP.TEXT, 'x');
  assert.strictEqual((await peer.frame()).rsv1, false);
  // Without the option the header is not even parsed.
  await rawClient(t, wss.testPort, header('Sec-WebSocket-Extensions', ';;;'));
});

test('a request that arrives byte by byte', async (t) => {
  const wss = await serve(t, {}, echo);
  const peer = await rawConnect(t, wss.testPort);
  for (const char of upgradeRequest({ path: '/slow' })) {
    peer.write(char);
    await turn();
  }
  assert.match(await peer.head(), /^HTTP\/1\.1 101 /);
  peer.send(OP.TEXT, 'slow');
  assert.strictEqual(String((await peer.frame()).payload), 'slow');
});

test('frames in the same packet as the request are delivered after connection', async (t) => {
  const wss = await serve(t);
  const seen = new Promise((resolve) => {
    wss.on('connection', (ws) => {
      const list = ['connection'];
      ws.on('message', (data) => list.push(String(data)));
      ws.on('close', (code) => resolve([...list, code]));
    });
  });
  const peer = await rawConnect(t, wss.testPort);
  peer.write(
    Buffer.concat([
      Buffer.from(upgradeRequest()),
      peer.build(OP.TEXT, 'one'),
      peer.build(OP.TEXT, 'two'),
      peer.build(OP.CLOSE, '')
    ])
  );
  assert.deepStrictEqual(await within(seen, 'close'), ['connection', 'one', 'two', 1005]);
});

test('half a frame with the request, the other half later', async (t) => {
  const wss = await serve(t, {}, echo);
  const peer = await rawConnect(t, wss.testPort);
  const frame = peer.build(OP.TEXT, 'in two halves');
  peer.write(Buffer.concat([Buffer.from(upgradeRequest()), frame.subarray(0, 7)]));
  await peer.head();
  peer.write(frame.subarray(7));
  assert.strictEqual(String((await peer.frame()).payload), 'in two halves');
});

test('a plain HTTP request is answered 426 Upgrade Required', { carriers: PORT }, async (t) => {
  const wss = await serve(t);
  const url = httpUrlOf(wss.testPort);
  for (const method of ['GET', 'POST']) {
    const res = await new Promise((resolve, reject) => {
      request(url, { method, agent: false }, resolve).on('error', reject).end();
    });
    let body = '';
    for await (const chunk of res) body += chunk;
    assert.strictEqual(res.statusCode, 426);
    assert.strictEqual(res.statusMessage, 'Upgrade Required');
    assert.strictEqual(res.headers['content-type'], 'text/plain');
    assert.strictEqual(res.headers['content-length'], '16');
    assert.strictEqual(body, 'Upgrade Required');
  }
});

test(
  'Upgrade without Connection: Upgrade is a plain request: 426',
  { carriers: PORT },
  async (t) => {
    const wss = await serve(t);
    const peer = await rawConnect(t, wss.testPort);
    peer.write(upgradeRequest(header('Connection', 'close')));
    assert.match(await peer.head(), /^HTTP\/1\.1 426 Upgrade Required\r\n/);
    await peer.end();
  }
);

test(
  'after a 426 the connection stays usable for another request',
  { carriers: PORT },
  async (t) => {
    const wss = await serve(t, {}, echo);
    const peer = await rawConnect(t, wss.testPort);
    peer.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    assert.match(await peer.head(), /^HTTP\/1\.1 426 /);
    await peer.read(() => (peer.data.length >= 16 ? true : undefined), 'the body');
    assert.strictEqual(peer.data.toString(), 'Upgrade Required');
    peer.data = Buffer.alloc(0);
    peer.write(upgradeRequest());
    assert.match(await peer.head(), /^HTTP\/1\.1 101 /);
    peer.send(OP.TEXT, 'x');
    assert.strictEqual(String((await peer.frame()).payload), 'x');
  }
);

for (const [title, request, status] of [
  ['garbage', 'this is no HTTP\r\n\r\n', 400],
  ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', 400],
  ['a space before the colon', 'GET / HTTP/1.1\r\nHost : x\r\n\r\n', 400],
  ['a NUL in a value', 'GET / HTTP/1.1\r\nHost: x\0y\r\n\r\n', 400],
  [
    'Content-Length with Transfer-Encoding',
    'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    400
  ],
  [
    'two Content-Length',
    'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    400
  ],
  ['a header of 64 KiB', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(65536)}\r\n\r\n`, 431]
]) {
  test(`not HTTP: ${title} is refused with ${status} and closed`, { carriers: PORT }, async (t) => {
    const wss = await serve(t);
    const peer = await rawConnect(t, wss.testPort);
    peer.write(Buffer.from(request, 'latin1'));
    assert.ok((await peer.head()).startsWith(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}`));
    await peer.end();
  });
}

hawserTest('a body on the upgrade request is refused', { carriers: PORT }, async (t) => {
  const wss = await serve(t);
  assert.match(await answer(t, wss, header('Content-Length', '5')), /^HTTP\/1\.1 400 /);
  assert.match(await answer(t, wss, header('Transfer-Encoding', 'chunked')), /^HTTP\/1\.1 400 /);
});

test('a client that leaves in mid-request disturbs nobody', async (t) => {
  const wss = await serve(t, {}, echo);
  for (let at = 0; at < upgradeRequest().length; at += 13) {
    const peer = await rawConnect(t, wss.testPort);
    peer.write(upgradeRequest().slice(0, at));
    if (at % 2) peer.reset();
    else peer.socket.end();
  }
  const client = dial(t, wss.testUrl);
  await once(client, 'open');
  client.send('fine');
  assert.strictEqual(String((await messages(client, 1))[0][0]), 'fine');
});

test("'headers': the listener gets the lines and req, and may change the array", async (t) => {
  const wss = await serve(t);
  wss.on('headers', (lines, req) => {
    assert.deepStrictEqual(lines, [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${acceptFor(SAMPLE_KEY)}`,
      'Sec-WebSocket-Protocol: a'
    ]);
    assert.ok(req instanceof http.IncomingMessage);
    lines.push('Set-Cookie: a=b', `X-Url: ${req.url}`);
  });
  const peer = await rawClient(t, wss.testPort, {
    path: '/h',
    ...header('Sec-WebSocket-Protocol', 'a')
  });
  const lines = peer.response.split('\r\n');
  assert.deepStrictEqual(lines.slice(4), [
    'Sec-WebSocket-Protocol: a',
    'Set-Cookie: a=b',
    'X-Url: /h'
  ]);
});

test("the order of hooks: shouldHandle, verifyClient, handleProtocols, 'headers', connection", async (t) => {
  const order = [];
  const wss = await serve(t, {
    verifyClient: (info) => order.push('verifyClient', typeof info.req.url),
    handleProtocols: () => order.push('handleProtocols') && 'b'
  });
  wss.shouldHandle = () => order.push('shouldHandle');
  wss.on('headers', () => order.push('headers'));
  wss.on('connection', () => order.push('connection'));
  await rawClient(t, wss.testPort, header('Sec-WebSocket-Protocol', 'a, b'));
  await turn();
  assert.deepStrictEqual(order, [
    'shouldHandle',
    'verifyClient',
    'string',
    'handleProtocols',
    'headers',
    'connection'
  ]);
});

test('req is an http.IncomingMessage with everything that Node would give it', async (t) => {
  const wss = await serve(t);
  const connection = once(wss, 'connection');
  const peer = await rawClient(t, wss.testPort, {
    path: '/p%20a/th?x=1&y=%C3%BC',
    headers: {
      Origin: 'http://example.test',
      Cookie: ['a=1', 'b=2'],
      'X-Multi': ['one', 'two'],
      'User-Agent': ['first', 'second'],
      'X-Latin': 'caf\u00e9'
    }
  });
  const [ws, req] = await connection;
  assert.ok(req instanceof http.IncomingMessage);
  assert.strictEqual(req.method, 'GET');
  assert.strictEqual(req.url, '/p%20a/th?x=1&y=%C3%BC');
  assert.strictEqual(req.httpVersion, '1.1');
  assert.strictEqual(req.httpVersionMajor, 1);
  assert.strictEqual(req.httpVersionMinor, 1);
  assert.strictEqual(req.upgrade, true);
  assert.strictEqual(req.headers.host, HOST);
  assert.strictEqual(req.headers.upgrade, 'websocket');
  assert.strictEqual(req.headers.connection, 'Upgrade');
  assert.strictEqual(req.headers['sec-websocket-key'], SAMPLE_KEY);
  assert.strictEqual(req.headers['sec-websocket-version'], '13');
  assert.strictEqual(req.headers.origin, 'http://example.test');
  assert.strictEqual(req.headers.cookie, 'a=1; b=2');
  assert.strictEqual(req.headers['x-multi'], 'one, two');
  assert.strictEqual(req.headers['user-agent'], 'first');
  assert.deepStrictEqual(req.headersDistinct['x-multi'], ['one', 'two']);
  assert.deepStrictEqual(req.rawHeaders.slice(0, 6), [
    'Host',
    HOST,
    'Upgrade',
    'websocket',
    'Connection',
    'Upgrade'
  ]);
  assert.strictEqual(req.rawHeaders.filter((value) => value === 'X-Multi').length, 2);
  assert.strictEqual(req.socket.remoteAddress, HOST);
  assert.strictEqual(req.socket.remotePort, peer.socket.localPort);
  assert.strictEqual(req.socket.remoteFamily, 'IPv4');
  assert.strictEqual(req.socket.localAddress, HOST);
  assert.strictEqual(req.socket.localPort, wss.testPort);
  assert.strictEqual(req.connection, req.socket);
  assert.strictEqual(req.socket.encrypted, isTls || undefined);
  assert.strictEqual(req.socket.destroyed, false);
  assert.strictEqual(ws._socket.remoteAddress, HOST);
  assert.strictEqual(ws._socket.remotePort, peer.socket.localPort);
});

test('the server side of a connection: url undefined, OPEN, protocol and extensions empty', async (t) => {
  const wss = await serve(t);
  const connection = once(wss, 'connection');
  await rawClient(t, wss.testPort);
  const [ws] = await connection;
  assert.ok(ws instanceof WebSocket);
  assert.strictEqual(ws.url, undefined);
  assert.strictEqual(ws.readyState, WebSocket.OPEN);
  assert.strictEqual(ws.protocol, '');
  assert.strictEqual(ws.extensions, '');
  assert.strictEqual(ws.bufferedAmount, 0);
  assert.strictEqual(ws.isPaused, false);
});

test('503 when the server was closed while verifyClient decided', async (t) => {
  let verdict;
  const asked = new Promise((resolve) => {
    verdict = resolve;
  });
  const wss = await serve(t, { verifyClient: (info, cb) => verdict(cb) });
  const peer = await rawConnect(t, wss.testPort);
  peer.write(upgradeRequest());
  const cb = await asked;
  wss.close();
  cb(true);
  assert.strictEqual((await peer.rest()).toString(), refusal(503, 'Service Unavailable'));
});

test('a client that left while verifyClient decided makes no connection', async (t) => {
  let verdict;
  const asked = new Promise((resolve) => {
    verdict = resolve;
  });
  const wss = await serve(t, { verifyClient: (info, cb) => verdict({ info, cb }) }, () =>
    assert.fail('no connection expected')
  );
  const peer = await rawConnect(t, wss.testPort);
  peer.write(upgradeRequest());
  const { info, cb } = await asked;
  const gone = once(info.req.socket, 'close');
  peer.reset();
  await gone;
  cb(true);
  await turn();
  assert.strictEqual(wss.clients.size, 0);
});

test('verifyClient: an empty message is the text of the status', async (t) => {
  for (const message of [null, '', undefined]) {
    const wss = await serve(t, { verifyClient: (info, cb) => cb(false, 403, message) });
    const peer = await rawConnect(t, wss.testPort);
    peer.write(upgradeRequest());
    assert.match(await peer.head(), /^HTTP\/1\.1 403 Forbidden\r\n/);
    await peer.read(() => (peer.data.length >= 9 ? true : undefined), 'the body');
    assert.strictEqual(peer.data.toString(), 'Forbidden');
  }
});

test("a server's WebSocket emits 'open' before 'connection'", async (t) => {
  const log = [];
  class Logged extends WebSocket {
    constructor(...args) {
      super(...args);
      this.on('open', () => log.push('open'));
    }
  }
  const wss = await serve(t, { WebSocket: Logged }, () => log.push('connection'));
  const peer = await rawConnect(t, wss.testPort);
  peer.write(upgradeRequest());
  await peer.head();
  await until(() => log.length === 2);
  assert.deepStrictEqual(log, ['open', 'connection']);
});

'use strict';

const assert = require('node:assert');
const http = require('node:http');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const WebSocket = require('./support/impl');
const {
  HOST,
  connect,
  dial,
  messages,
  once,
  record,
  serve,
  test,
  turn,
  until
} = require('./support/helpers');
const { TCP, createHttpServer, urlOf } = require('./support/carriers');
const { OP, acceptFor, rawAcceptor, rawServer, upgradeResponse } = require('./support/raw-peer');

const TOO_EARLY = 'WebSocket was closed before the connection was established';
const PLAIN = { perMessageDeflate: false };

/** Waits for 'error' then 'close' 1006 and returns the error; `sameTick` also checks the tick. */
async function failure(client, { sameTick = true } = {}) {
  const log = [];
  let later = false;
  client.on('open', () => log.push('open'));
  client.on('error', (err) => {
    log.push('error', err, client.readyState);
    process.nextTick(() => {
      later = true;
    });
  });
  const closed = new Promise((resolve) => {
    client.on('close', (code, reason) => {
      log.push('close', code, reason, client.readyState);
      if (sameTick) assert.strictEqual(later, false, "'error' and 'close' in the same tick");
      resolve();
    });
  });
  await Promise.race([closed, once(client, 'close')]);
  await turn();
  const [, err] = log;
  assert.deepStrictEqual(log, [
    'error',
    err,
    WebSocket.CLOSING,
    'close',
    1006,
    Buffer.alloc(0),
    WebSocket.CLOSED
  ]);
  return err;
}

/** The error of a client whose server answers with `reply(head)`. */
async function failureOf(t, reply, options, sameTick) {
  const server = await rawServer(t, (peer, head) => {
    const bytes = reply(head, peer);
    if (bytes !== undefined) peer.write(bytes);
  });
  const args = Array.isArray(options) ? options : [options];
  return failure(dial(t, server.url, ...args), { sameTick });
}

const keyOf = (head) => /^sec-websocket-key: (.*)$/im.exec(head)[1];
const response = (...lines) => [...lines, '', ''].join('\r\n');
const STATUS = 'HTTP/1.1 101 Switching Protocols';

// [title, reply, message, client arguments]
const invalid = [
  [
    'a wrong accept value',
    () => response(STATUS, 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Accept: x='),
    'Invalid Sec-WebSocket-Accept header'
  ],
  [
    'no accept value',
    () => response(STATUS, 'Upgrade: websocket', 'Connection: Upgrade'),
    'Invalid Sec-WebSocket-Accept header'
  ],
  [
    'an accept value of another case',
    (head) => upgradeResponse(head).replace(/(Accept: )(.*)/, (_, a, b) => a + b.toLowerCase()),
    'Invalid Sec-WebSocket-Accept header'
  ],
  [
    'a repeated accept header',
    (head) => upgradeResponse(head, [`Sec-WebSocket-Accept: ${acceptFor(keyOf(head))}`]),
    'Invalid Sec-WebSocket-Accept header'
  ],
  [
    'Upgrade: foo',
    (head) => upgradeResponse(head).replace('websocket', 'foo'),
    'Invalid Upgrade header'
  ],
  [
    'a subprotocol when none was requested',
    (head) => upgradeResponse(head, ['Sec-WebSocket-Protocol: a']),
    'Server sent a subprotocol but none was requested'
  ],
  [
    'another subprotocol',
    (head) => upgradeResponse(head, ['Sec-WebSocket-Protocol: c']),
    'Server sent an invalid subprotocol',
    [['a', 'b'], PLAIN]
  ],
  [
    'no subprotocol',
    (head) => upgradeResponse(head),
    'Server sent no subprotocol',
    [['a', 'b'], PLAIN]
  ],
  [
    'an extension when none was requested',
    (head) => upgradeResponse(head, ['Sec-WebSocket-Extensions: permessage-deflate']),
    'Server sent a Sec-WebSocket-Extensions header but no extension was requested'
  ]
];

for (const [title, reply, message, args = [PLAIN]] of invalid) {
  test(`refused: ${title}`, async (t) => {
    // Here ws destroys the socket with the error, so 'close' follows in a later tick.
    const err = await failureOf(t, reply, args, false);
    assert.strictEqual(err.constructor, Error);
    assert.strictEqual(err.message, message);
  });
}

for (const [status, extra = []] of [
  [200],
  [204],
  [301, ['Location: /elsewhere']],
  [400],
  [401],
  [404],
  [500],
  [503]
]) {
  test(`refused: status ${status}; error and close in the same tick`, async (t) => {
    const err = await failureOf(t, () =>
      response(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}`, 'Content-Length: 0', ...extra)
    );
    assert.strictEqual(err.constructor, Error);
    assert.strictEqual(err.message, `Unexpected server response: ${status}`);
  });
}

test('refused: a response of a plain HTTP server', async (t) => {
  const server = createHttpServer((req, res) => res.writeHead(404).end('nothing here'));
  t.after(() => server.close());
  await new Promise((resolve) => server.listen(0, HOST, resolve));
  const err = await failure(dial(t, urlOf(server.address().port)));
  assert.strictEqual(err.message, 'Unexpected server response: 404');
});

test('garbage instead of a response: a parse error with an HPE_ code', async (t) => {
  const err = await failureOf(t, () => 'this is no HTTP\r\n\r\n');
  assert.match(err.code, /^HPE_/);
  assert.match(err.message, /^Parse Error/);
});

test('a response with a header line that is too long', async (t) => {
  const err = await failureOf(t, () => response('HTTP/1.1 200 OK', `X: ${'x'.repeat(1 << 18)}`));
  assert.strictEqual(err.code, 'HPE_HEADER_OVERFLOW');
});

for (const [title, act] of [
  ['FIN without a byte', (head, peer) => void peer.socket.end()],
  ['half a response, then FIN', (head, peer) => void peer.socket.end(`${STATUS}\r\nUpgr`)]
]) {
  test(`${title}: ECONNRESET, socket hang up`, async (t) => {
    const err = await failureOf(t, act);
    assert.strictEqual(err.code, 'ECONNRESET');
    assert.strictEqual(err.message, 'socket hang up');
  });
}

test('a reset instead of a response: ECONNRESET', async (t) => {
  const err = await failureOf(t, (head, peer) => void peer.reset());
  assert.strictEqual(err.code, 'ECONNRESET');
});

test('ECONNREFUSED has the fields that Node gives it', async (t) => {
  const probe = net.createServer();
  await new Promise((resolve) => probe.listen(0, HOST, resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  const err = await failure(dial(t, urlOf(port)));
  assert.strictEqual(err.code, 'ECONNREFUSED');
  assert.strictEqual(err.syscall, 'connect');
  assert.strictEqual(err.address, HOST);
  assert.strictEqual(err.port, port);
  assert.strictEqual(err.message, `connect ECONNREFUSED ${HOST}:${port}`);
  assert.strictEqual(err.errno, -os.constants.errno.ECONNREFUSED);
});

test('an error of the lookup is the error of the client', async (t) => {
  const reason = Object.assign(new Error('getaddrinfo ENOTFOUND name.invalid'), {
    code: 'ENOTFOUND',
    syscall: 'getaddrinfo',
    hostname: 'name.invalid'
  });
  const lookup = (hostname, options, cb) => process.nextTick(cb, reason);
  assert.strictEqual(await failure(dial(t, 'ws://name.invalid/', { lookup })), reason);
});

test('handshakeTimeout: no answer', async (t) => {
  const client = () => failureOf(t, () => undefined, { handshakeTimeout: 50 });
  assert.strictEqual((await client()).message, 'Opening handshake has timed out');
});

test('handshakeTimeout: half an answer', async (t) => {
  const err = await failureOf(t, () => `${STATUS}\r\nUpgrade: web`, { handshakeTimeout: 50 });
  assert.strictEqual(err.message, 'Opening handshake has timed out');
});

test('handshakeTimeout is over once the connection is open', async (t) => {
  const wss = await serve(t);
  const client = await connect(t, wss.testUrl, { handshakeTimeout: 30 });
  await new Promise((resolve) => setTimeout(resolve, 80));
  assert.strictEqual(client.readyState, WebSocket.OPEN);
});

for (const method of ['close', 'terminate']) {
  test(`${method}() while CONNECTING: CLOSING at once, then error and close 1006`, async (t) => {
    const wss = await serve(t);
    const client = dial(t, wss.testUrl);
    assert.strictEqual(client.readyState, WebSocket.CONNECTING);
    const failed = failure(client);
    client[method]();
    assert.strictEqual(client.readyState, WebSocket.CLOSING);
    client[method]();
    client.close();
    client.terminate();
    const err = await failed;
    assert.strictEqual(err.constructor, Error);
    assert.strictEqual(err.message, TOO_EARLY);
  });

  test(`${method}() while the server has the request but has not answered`, async (t) => {
    let asked;
    const request = new Promise((resolve) => {
      asked = resolve;
    });
    const server = await rawServer(t, asked);
    const client = dial(t, server.url);
    const peer = await request;
    const failed = failure(client);
    client[method](1000, 'not sent');
    assert.strictEqual((await failed).message, TOO_EARLY);
    await peer.end();
    assert.strictEqual(peer.data.length, 0);
  });

  test(`${method}() in a listener of 'upgrade'`, async (t) => {
    const wss = await serve(t);
    const client = dial(t, wss.testUrl);
    client.on('upgrade', () => client[method]());
    assert.strictEqual((await failure(client)).message, TOO_EARLY);
  });
}

test('close() while CONNECTING does not look at its arguments', async (t) => {
  const wss = await serve(t);
  const client = dial(t, wss.testUrl);
  const failed = failure(client);
  client.close(99, 'x'.repeat(200));
  assert.strictEqual((await failed).message, TOO_EARLY);
});

test("'upgrade' has the response, comes before validation, and in the tick of 'open'", async (t) => {
  const server = await rawAcceptor(t, ['X-Extra: yes', 'Set-Cookie: a=1', 'Set-Cookie: b=2']);
  const client = dial(t, server.url, PLAIN);
  const order = [];
  let later = false;
  client.on('upgrade', (res) => {
    order.push('upgrade', client.readyState);
    assert.ok(res instanceof http.IncomingMessage);
    assert.strictEqual(res.statusCode, 101);
    assert.strictEqual(res.statusMessage, 'Switching Protocols');
    assert.strictEqual(res.headers.upgrade, 'websocket');
    assert.strictEqual(res.headers['x-extra'], 'yes');
    assert.deepStrictEqual(res.headers['set-cookie'], ['a=1', 'b=2']);
    process.nextTick(() => {
      later = true;
    });
  });
  client.on('open', () => {
    order.push('open', client.readyState);
    assert.strictEqual(later, false);
  });
  await once(client, 'open');
  assert.deepStrictEqual(order, ['upgrade', WebSocket.CONNECTING, 'open', WebSocket.OPEN]);

  const bad = await rawServer(t, (peer) =>
    peer.write(response(STATUS, 'Upgrade: x', 'Connection: Upgrade'))
  );
  const refused = dial(t, bad.url);
  const upgraded = record(refused, ['upgrade']);
  await failure(refused, { sameTick: false });
  assert.strictEqual(upgraded.length, 1);
});

test('a 1xx before the 101 is skipped', async (t) => {
  const server = await rawServer(t, (peer, head) => {
    peer.write(response('HTTP/1.1 103 Early Hints', 'Link: </x>') + upgradeResponse(head));
  });
  await once(dial(t, server.url), 'open');
});

test('a 101 that arrives byte by byte', async (t) => {
  const server = await rawServer(t, async (peer, head) => {
    for (const char of upgradeResponse(head)) {
      peer.write(char);
      await turn();
    }
    peer.send(OP.TEXT, 'slow');
  });
  const client = dial(t, server.url);
  assert.strictEqual(String((await messages(client, 1))[0][0]), 'slow');
});

test("frames in the same packet as the 101 arrive after 'open'", async (t) => {
  const server = await rawServer(t, (peer, head) => {
    peer.write(
      Buffer.concat([
        Buffer.from(upgradeResponse(head)),
        peer.build(OP.TEXT, 'one'),
        peer.build(OP.PING, 'p'),
        peer.build(OP.BINARY, 'two'),
        peer.build(OP.CLOSE, '')
      ])
    );
  });
  const log = record(dial(t, server.url), ['open', 'message', 'ping', 'close', 'error']);
  await until(() => log.at(-1)?.[0] === 'close');
  assert.deepStrictEqual(log, [
    ['open'],
    ['message', Buffer.from('one'), false],
    ['ping', Buffer.from('p')],
    ['message', Buffer.from('two'), true],
    ['close', 1005, Buffer.alloc(0)]
  ]);
});

test("a malformed frame in the packet of the 101: 'open', then the error", async (t) => {
  const server = await rawServer(t, (peer, head) => {
    peer.write(Buffer.concat([Buffer.from(upgradeResponse(head)), peer.build(3, '')]));
  });
  const client = dial(t, server.url);
  const log = record(client, ['open', 'error', 'close']);
  await until(() => log.at(-1)?.[0] === 'close');
  assert.deepStrictEqual(
    log.map(([name]) => name),
    ['open', 'error', 'close']
  );
  assert.strictEqual(log[1][1].code, 'WS_ERR_INVALID_OPCODE');
});

test("'open' is asynchronous; properties of an open client", async (t) => {
  const server = await rawAcceptor(t, ['Sec-WebSocket-Protocol: b']);
  const client = dial(t, server.url, ['a', 'b'], PLAIN);
  assert.strictEqual(client.readyState, WebSocket.CONNECTING);
  assert.strictEqual(client.protocol, '');
  assert.strictEqual(client.bufferedAmount, 0);
  await once(client, 'open');
  assert.strictEqual(client.protocol, 'b');
  assert.strictEqual(client.extensions, '');
  assert.strictEqual(client.isPaused, false);
});

test("'unexpected-response'(req, res): a listener suppresses the error and must abort", async (t) => {
  const server = await rawServer(t, (peer) => {
    peer.write(response('HTTP/1.1 401 Unauthorized', 'X-Why: no', 'Content-Length: 6') + 'denied');
  });
  const client = dial(t, server.url);
  const log = record(client, ['error', 'close']);
  const [req, res] = await once(client, 'unexpected-response');
  assert.strictEqual(typeof req.destroy, 'function');
  assert.ok(res instanceof http.IncomingMessage);
  assert.strictEqual(res.statusCode, 401);
  assert.strictEqual(res.headers['x-why'], 'no');
  let body = '';
  for await (const chunk of res) body += chunk;
  assert.strictEqual(body, 'denied');
  assert.deepStrictEqual(log, []);
  assert.strictEqual(client.readyState, WebSocket.CONNECTING);
  client.terminate();
  await until(() => log.length === 2);
  assert.strictEqual(log[0][1].message, TOO_EARLY);
  assert.deepStrictEqual(log[1], ['close', 1006, Buffer.alloc(0)]);
});

test(
  'ws+unix: socket path and URL path are split at the first colon only',
  {
    carriers: TCP,
    skip: process.platform === 'win32' && 'no Unix sockets'
  },
  async (t) => {
    const file = path.join(os.tmpdir(), `hawser-${process.pid}-${Date.now()}.sock`);
    const requests = [];
    const serveUnix = (peer, head) => {
      requests.push(head.split('\r\n')[0]);
      peer.write(upgradeResponse(head));
      peer.send(OP.TEXT, 'over unix');
    };
    await rawServer(t, serveUnix, { path: file });
    const client = dial(t, `ws+unix:${file}:/url/path:x?q=1`);
    assert.strictEqual(client.url, `ws+unix:${file}:/url/path:x?q=1`);
    assert.strictEqual(String((await messages(client, 1))[0][0]), 'over unix');
    await once(dial(t, `ws+unix:${file}`), 'open');
    await once(dial(t, `ws+unix://${file}:/host`), 'open');
    assert.deepStrictEqual(requests, [
      'GET /url/path:x?q=1 HTTP/1.1',
      'GET / HTTP/1.1',
      'GET /host HTTP/1.1'
    ]);
  }
);

test(
  'ws+unix: ENOENT',
  { carriers: TCP, skip: process.platform === 'win32' && 'no Unix sockets' },
  async (t) => {
    const err = await failure(dial(t, 'ws+unix:/nowhere/at/all.sock:/x'));
    assert.strictEqual(err.code, 'ENOENT');
    assert.strictEqual(err.syscall, 'connect');
  }
);

test('100 clients that fail and 100 that succeed at once', async (t) => {
  const wss = await serve(t, { path: '/yes' });
  const results = await Promise.all(
    Array.from({ length: 200 }, (_, i) => {
      const client = dial(t, `${wss.testUrl}/${i % 2 ? 'yes' : 'no'}`);
      return new Promise((resolve) => {
        client.on('open', () => resolve('open'));
        client.on('error', (err) => resolve(err.message));
      });
    })
  );
  results.forEach((result, i) =>
    assert.strictEqual(result, i % 2 ? 'open' : 'Unexpected server response: 400')
  );
});

'use strict';

const assert = require('node:assert');
const net = require('node:net');
const WebSocket = require('../support/impl');
const { HOST, once, test } = require('../support/helpers');
const { RawPeer } = require('../support/raw-peer');
const { connect, converse, dial, eachWay } = require('./support/clients');
const { listen, switching, upgradeServer } = require('./support/servers');

const DEAD = `ws://${HOST}:1`;
const basic = (text) => `Basic ${Buffer.from(text).toString('base64')}`;

/** The requests that a client with these arguments sends, with the client. */
async function requestOf(t, path, ...args) {
  const server = await upgradeServer(t);
  const client = dial(t, server.url + path, ...args);
  client.on('error', () => {});
  const peer = await server.next();
  return { server, client, peer, req: peer.request };
}

eachWay('line, Host and handshake fields', async (t, options) => {
  const { req, server } = await requestOf(t, '/p/a%20b?q=1&r', options());
  assert.strictEqual(req.method, 'GET');
  assert.strictEqual(req.url, '/p/a%20b?q=1&r');
  assert.strictEqual(req.httpVersion, '1.1');
  const key = req.headers['sec-websocket-key'];
  assert.match(key, /^[+/0-9A-Za-z]{21}[AQgw]==$/);
  assert.deepStrictEqual(req.headers, {
    host: server.url.slice(5),
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-version': '13',
    'sec-websocket-key': key
  });
});

eachWay('the names and the order of the fields', async (t, options) => {
  const { req } = await requestOf(
    t,
    '/',
    'proto',
    options({ origin: 'http://o.test', auth: 'a:b', headers: { 'X-One': '1', 'x-two': '2' } })
  );
  assert.deepStrictEqual(
    req.rawHeaders.filter((_, i) => i % 2 === 0),
    [
      'X-One',
      'x-two',
      'Sec-WebSocket-Version',
      'Sec-WebSocket-Key',
      'Connection',
      'Upgrade',
      'Sec-WebSocket-Protocol',
      'Origin',
      'Host',
      'Authorization'
    ]
  );
});

eachWay('headers: strings, numbers, arrays', async (t, options) => {
  const headers = { 'X-String': 'ÿ', 'X-Number': 7, 'X-Many': ['p', 'q'], Cookie: ['a=1', 'b=2'] };
  const { req } = await requestOf(t, '/', options({ headers: Object.freeze(headers) }));
  assert.strictEqual(req.headers['x-string'], 'ÿ');
  assert.strictEqual(req.headers['x-number'], '7');
  assert.strictEqual(req.headers['x-many'], 'p, q');
  assert.strictEqual(req.headers.cookie, 'a=1; b=2');
});

eachWay(
  'headers: of the handshake cannot be set in the same case, Host can',
  async (t, options) => {
    const headers = {
      Host: 'front.test:81',
      'Sec-WebSocket-Key': 'mine',
      'Sec-WebSocket-Version': '99',
      Connection: 'close',
      Upgrade: 'h2c'
    };
    const { req } = await requestOf(t, '/', options({ headers }));
    assert.strictEqual(req.headers.host, 'front.test:81');
    assert.notStrictEqual(req.headers['sec-websocket-key'], 'mine');
    assert.strictEqual(req.headers['sec-websocket-version'], '13');
    assert.strictEqual(req.headers.connection, 'Upgrade');
    assert.strictEqual(req.headers.upgrade, 'websocket');
  }
);

eachWay('headers: what cannot stand in a header throws', (t, options) => {
  for (const [headers, code] of [
    [{ X: 'a\r\nY: b' }, 'ERR_INVALID_CHAR'],
    [{ X: '\u20ac' }, 'ERR_INVALID_CHAR'],
    [{ 'X Y': 'a' }, 'ERR_INVALID_HTTP_TOKEN'],
    [{ X: undefined }, 'ERR_HTTP_INVALID_HEADER_VALUE']
  ]) {
    assert.throws(() => new WebSocket(DEAD, options({ headers })), { name: 'TypeError', code });
  }
});

eachWay('a path with characters that need escapes', async (t, options) => {
  const { req } = await requestOf(t, '/ü/x y?ß', options());
  assert.strictEqual(req.url, '/%C3%BC/x%20y?%C3%9F');
});

eachWay('origin: Origin, or Sec-WebSocket-Origin with protocolVersion 8', async (t, options) => {
  const modern = await requestOf(t, '/', options({ origin: 'https://o.test:8000' }));
  assert.strictEqual(modern.req.headers.origin, 'https://o.test:8000');
  const old = await requestOf(t, '/', options({ origin: 'https://o.test', protocolVersion: 8 }));
  assert.strictEqual(old.req.headers['sec-websocket-origin'], 'https://o.test');
  assert.strictEqual(old.req.headers.origin, undefined);
  assert.strictEqual(old.req.headers['sec-websocket-version'], '8');
});

for (const [title, userInfo, given, expected] of [
  ['user info of the URL', 'user:pass@', {}, basic('user:pass')],
  ['percent-decoded', 'a%40b:p%3Aw%25@', {}, basic('a@b:p:w%')],
  ['a name alone', 'user@', {}, basic('user:')],
  ['a password alone', ':pass@', {}, basic(':pass')],
  ['the option auth', '', { auth: 'opt:ion' }, basic('opt:ion')],
  ['the URL wins over the option', 'u:p@', { auth: 'opt:ion' }, basic('u:p')],
  ['a field wins over both', 'u:p@', { auth: 'a:b', headers: { Authorization: 'own' } }, 'own'],
  ['none', '', {}, undefined]
]) {
  eachWay(`Basic auth: ${title}`, async (t, options) => {
    const server = await upgradeServer(t);
    await connect(t, server.url.replace('//', `//${userInfo}`), options(given));
    assert.strictEqual(server.requests[0].headers.authorization, expected);
  });
}

eachWay('fields taken from the URL win over the options', async (t, options) => {
  const { req, server } = await requestOf(
    t,
    '/url',
    options({
      host: 'nowhere.invalid',
      hostname: 'nowhere.invalid',
      port: 1,
      path: '/option',
      method: 'POST',
      protocol: 'ftp:',
      socketPath: '/nowhere'
    })
  );
  assert.strictEqual(req.method, 'GET');
  assert.strictEqual(req.url, '/url');
  assert.strictEqual(req.headers.host, server.url.slice(5));
});

eachWay('setHost: false leaves Host out', async (t, options) => {
  const raw = net.createServer(); // Node's HTTP server would refuse the request
  const accepted = once(raw, 'connection');
  await listen(t, raw);
  const url = `ws://${HOST}:${raw.address().port}`;
  dial(t, url, options({ setHost: false })).on('error', () => {});
  const [socket] = await accepted;
  assert.doesNotMatch(await new RawPeer(socket).head(), /^host:/im);
});

eachWay('maxHeaderSize holds for the answer', async (t, options) => {
  const server = await upgradeServer(t, {
    answer: (peer, req) => peer.write(switching(req, [`X-Long: ${'x'.repeat(20000)}`]))
  });
  await connect(t, server.url, options({ maxHeaderSize: 32768 }));
  const refused = dial(t, server.url, options({ maxHeaderSize: 8192 }));
  const err = await new Promise((resolve) => refused.on('error', resolve));
  assert.strictEqual(err.code, 'HPE_HEADER_OVERFLOW');
});

eachWay('protocols: offered, and the chosen one', async (t, options) => {
  const server = await upgradeServer(t, {
    answer: (peer, req) => peer.write(switching(req, ['Sec-WebSocket-Protocol: b']))
  });
  for (const args of [
    [['a', 'b'], options()],
    [options({ protocols: ['a', 'b'] })],
    [undefined, options({ protocols: ['a', 'b'] })]
  ]) {
    const client = await connect(t, server.url, ...args);
    assert.strictEqual(client.protocol, 'b');
    assert.strictEqual(server.requests.at(-1).headers['sec-websocket-protocol'], 'a,b');
  }
});

eachWay('url: string or URL, ws: or http:', async (t, options) => {
  const server = await upgradeServer(t);
  const url = new URL(`http://${HOST}:${server.port}/a?b`);
  const client = await connect(t, url, options());
  assert.strictEqual(client.url, `${server.url}/a?b`);
  assert.strictEqual(url.protocol, 'http:');
  await converse(client, await server.next());
});

eachWay('generateMask makes the masks', async (t, options) => {
  const server = await upgradeServer(t);
  const masks = [];
  const generateMask = (mask) => {
    mask.set([1, 2, 3, masks.length]);
    masks.push(Buffer.from(mask));
  };
  const client = await connect(t, server.url, options({ generateMask }));
  const peer = await server.next();
  for (const [i, text] of ['one', 'x'.repeat(1000), ''].entries()) {
    client.send(text);
    const frame = await peer.frame();
    assert.deepStrictEqual([...frame.key], [1, 2, 3, i]);
    assert.strictEqual(String(frame.payload), text);
  }
  assert.strictEqual(masks.length, 3);
});

test('the options of the caller are not changed', async (t) => {
  const server = await upgradeServer(t);
  const createConnection = (options) => net.connect(options);
  const given = { headers: { 'X-A': '1' }, origin: 'http://o', auth: 'a:b', createConnection };
  const before = { ...given, headers: { ...given.headers } };
  await connect(t, server.url, Object.freeze({ ...given, perMessageDeflate: false }));
  assert.deepStrictEqual(given, before);
});

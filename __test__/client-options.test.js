'use strict';

const assert = require('node:assert');
const WebSocket = require('./support/impl');
const {
  HOST,
  connect,
  dial,
  echo,
  messages,
  once,
  pair,
  serve,
  test
} = require('./support/helpers');
const { urlOf } = require('./support/carriers');
const { OP, rawAcceptor } = require('./support/raw-peer');

const DEAD = `ws://${HOST}:1`;

/** The request head that a client sends for these arguments, as [request line, headers]. */
async function requestFor(t, path, ...args) {
  const server = await rawAcceptor(t);
  dial(t, server.url + path, ...args).on('error', () => {});
  const { request } = await server.next();
  const [line, ...rest] = request.split('\r\n');
  const headers = {};
  for (const field of rest) {
    const at = field.indexOf(':');
    const name = field.slice(0, at).toLowerCase();
    const value = field.slice(at + 1).trim();
    headers[name] = name in headers ? [].concat(headers[name], value) : value;
  }
  return { line, headers, server, request };
}

test('URL: what is no URL is a SyntaxError', () => {
  for (const url of ['', 'foo', '/path', 'ws://', 'ws://a:99999', undefined, 7]) {
    assert.throws(() => new WebSocket(url), {
      name: 'SyntaxError',
      message: `Invalid URL: ${url}`
    });
  }
});

test('URL: another scheme is a SyntaxError', () => {
  for (const url of ['ftp://localhost', 'file:///x', 'wsx://localhost', new URL('mailto:a@b')]) {
    assert.throws(() => new WebSocket(url), {
      name: 'SyntaxError',
      message: 'The URL\'s protocol must be one of "ws:", "wss:", "http:", "https:", or "ws+unix:"'
    });
  }
});

test('URL: a fragment is a SyntaxError', () => {
  for (const url of [`${DEAD}/#frag`, `http://${HOST}:1/?a#b`, 'ws+unix:/a:/b#c']) {
    assert.throws(() => new WebSocket(url), {
      name: 'SyntaxError',
      message: 'The URL contains a fragment identifier'
    });
  }
});

test('URL: an empty pathname of ws+unix is a SyntaxError', () => {
  assert.throws(() => new WebSocket('ws+unix:'), {
    name: 'SyntaxError',
    message: "The URL's pathname is empty"
  });
});

test('URL: string or URL, ws: or http:; the object of the caller is not changed', async (t) => {
  const wss = await serve(t, {}, echo);
  const { testUrl } = wss;
  const httpUrl = testUrl.replace('ws', 'http');
  const plain = await connect(t, testUrl);
  assert.strictEqual(plain.url, `${testUrl}/`);
  const asHttp = new URL(`${httpUrl}/a?b=c`);
  const client = await connect(t, asHttp);
  assert.strictEqual(client.url, `${testUrl}/a?b=c`);
  assert.strictEqual(asHttp.href, `${httpUrl}/a?b=c`);
  const asString = await connect(t, `${httpUrl.replace('http', 'HTTP')}/x/../y z?q=ü`);
  assert.strictEqual(asString.url, `${testUrl}/y%20z?q=%C3%BC`);
});

test('protocolVersion: 13 or 8, else a RangeError, before the URL is looked at', () => {
  for (const protocolVersion of [0, 12, 14, '13', null]) {
    assert.throws(() => new WebSocket('no url', { protocolVersion }), {
      name: 'RangeError',
      message: `Unsupported protocol version: ${protocolVersion} (supported versions: 8, 13)`
    });
  }
});

test('protocols: a bad or duplicate subprotocol is a SyntaxError', () => {
  const expected = {
    name: 'SyntaxError',
    message: 'An invalid or duplicated subprotocol was specified'
  };
  const bad = ['', 'a b', 'a,b', 'a/b', 'ü', 'a\n', [''], ['a', 'a'], ['a', 'b', 'a'], [1], [null]];
  for (const protocols of [...bad, null, 7]) {
    assert.throws(() => new WebSocket(DEAD, protocols), expected);
    assert.throws(() => new WebSocket(DEAD, { protocols }), expected);
  }
});

test('protocols: an array, a string, or an option; the 2nd argument wins', async (t) => {
  const seen = async (...args) =>
    (await requestFor(t, '/', ...args)).headers['sec-websocket-protocol'];
  assert.strictEqual(await seen(['a', "b!#$%&'*+-.^_`|~9"]), "a,b!#$%&'*+-.^_`|~9");
  assert.strictEqual(await seen('one'), 'one');
  assert.strictEqual(await seen({ protocols: ['x', 'y'] }), 'x,y');
  assert.strictEqual(await seen({ protocols: 'x' }), 'x');
  assert.strictEqual(await seen(undefined, { protocols: ['x'] }), 'x');
  assert.strictEqual(await seen(['a'], { protocols: ['x'] }), 'a');
  assert.strictEqual(await seen([], { protocols: ['x'] }), undefined);
  assert.strictEqual(await seen(), undefined);
});

test('the request: line, Host and handshake fields', async (t) => {
  const { line, headers, server, request } = await requestFor(t, '/p/a?q=1', {
    perMessageDeflate: false
  });
  assert.strictEqual(line, 'GET /p/a?q=1 HTTP/1.1');
  const key = headers['sec-websocket-key'];
  assert.match(key, /^[+/0-9A-Za-z]{21}[AQgw]==$/);
  assert.deepStrictEqual(headers, {
    host: new URL(server.url).host,
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-version': '13',
    'sec-websocket-key': key
  });
  for (const name of [
    'Sec-WebSocket-Version',
    'Sec-WebSocket-Key',
    'Connection',
    'Upgrade',
    'Host'
  ])
    assert.ok(request.includes(`\r\n${name}: `), name);
  const other = await requestFor(t, '/');
  assert.notStrictEqual(other.headers['sec-websocket-key'], key);
});

test('headers: are sent, arrays as several lines; names and order as given', async (t) => {
  const { headers, request } = await requestFor(t, '/', {
    headers: { 'X-One': '1', 'x-number': 2, Cookie: 'a=b', 'X-Many': ['p', 'q'] }
  });
  assert.strictEqual(headers['x-one'], '1');
  assert.strictEqual(headers['x-number'], '2');
  assert.strictEqual(headers.cookie, 'a=b');
  assert.deepStrictEqual(headers['x-many'], ['p', 'q']);
  assert.ok(request.includes('\r\nX-One: 1\r\n'));
  assert.ok(request.includes('\r\nx-number: 2\r\n'));
  assert.ok(request.indexOf('X-One') < request.indexOf('X-Many'));
});

test('headers: Host may be replaced, the handshake fields may not', async (t) => {
  const { headers } = await requestFor(t, '/', {
    headers: {
      Host: 'example.test:81',
      'sec-websocket-key': 'mine',
      'SEC-WEBSOCKET-VERSION': '99',
      connection: 'close',
      upgrade: 'h2c'
    }
  });
  assert.strictEqual(headers.host, 'example.test:81');
  assert.notStrictEqual(headers['sec-websocket-key'], 'mine');
  assert.strictEqual(headers['sec-websocket-version'], '13');
  assert.strictEqual(headers.connection, 'Upgrade');
  assert.strictEqual(headers.upgrade, 'websocket');
});

test('headers: the object of the caller is not changed', async (t) => {
  const options = Object.freeze({ headers: Object.freeze({ 'X-A': '1' }), origin: 'http://o' });
  await requestFor(t, '/', options);
  assert.deepStrictEqual(options, { headers: { 'X-A': '1' }, origin: 'http://o' });
});

test('headers: what cannot stand in a header throws, so nothing can be injected', () => {
  const code = (value) => ({ name: 'TypeError', code: value });
  assert.throws(
    () => new WebSocket(DEAD, { headers: { X: 'a\r\nY: b' } }),
    code('ERR_INVALID_CHAR')
  );
  assert.throws(() => new WebSocket(DEAD, { headers: { X: 'a\nb' } }), code('ERR_INVALID_CHAR'));
  assert.throws(() => new WebSocket(DEAD, { headers: { X: '\u20ac' } }), code('ERR_INVALID_CHAR'));
  assert.throws(() => new WebSocket(DEAD, { origin: 'a\r\nb' }), code('ERR_INVALID_CHAR'));
  assert.throws(
    () => new WebSocket(DEAD, { headers: { 'X Y': 'a' } }),
    code('ERR_INVALID_HTTP_TOKEN')
  );
  assert.throws(
    () => new WebSocket(DEAD, { headers: { X: undefined } }),
    code('ERR_HTTP_INVALID_HEADER_VALUE')
  );
});

test('origin: Origin, or Sec-WebSocket-Origin with protocolVersion 8', async (t) => {
  const modern = await requestFor(t, '/', { origin: 'https://example.test:8000' });
  assert.strictEqual(modern.headers.origin, 'https://example.test:8000');
  const old = await requestFor(t, '/', { origin: 'https://example.test', protocolVersion: 8 });
  assert.strictEqual(old.headers['sec-websocket-origin'], 'https://example.test');
  assert.strictEqual(old.headers.origin, undefined);
  assert.strictEqual(old.headers['sec-websocket-version'], '8');
});

test('auth: the user info of the URL, percent-decoded; it wins over the option', async (t) => {
  const basic = (text) => `Basic ${Buffer.from(text).toString('base64')}`;
  const server = await rawAcceptor(t);
  const seen = async (userInfo, options) => {
    const client = dial(t, server.url.replace('//', `//${userInfo}`), options);
    const [peer] = await Promise.all([server.next(), once(client, 'open')]);
    return /^authorization: (.*)$/im.exec(peer.request)?.[1];
  };
  assert.strictEqual(await seen('user:pass@'), basic('user:pass'));
  assert.strictEqual(await seen('a%40b:p%3Aw%25@'), basic('a@b:p:w%'));
  assert.strictEqual(await seen('user@'), basic('user:'));
  assert.strictEqual(await seen(':pass@'), basic(':pass'));
  assert.strictEqual(await seen('', { auth: 'opt:ion' }), basic('opt:ion'));
  assert.strictEqual(await seen('u:p@', { auth: 'opt:ion' }), basic('u:p'));
  assert.strictEqual(await seen('u:p@', { headers: { Authorization: 'own' } }), 'own');
  assert.strictEqual(await seen(''), undefined);
});

test('fields taken from the URL win over the options', async (t) => {
  const { line, headers, server } = await requestFor(t, '/url', {
    host: 'nowhere.invalid',
    hostname: 'nowhere.invalid',
    port: 1,
    path: '/option',
    method: 'POST',
    protocol: 'ftp:',
    socketPath: '/nowhere',
    timeout: 1
  });
  assert.strictEqual(line, 'GET /url HTTP/1.1');
  assert.strictEqual(headers.host, new URL(server.url).host);
});

test('options as the 2nd argument, or the 3rd after undefined or an array', async (t) => {
  const options = { origin: 'http://o' };
  for (const args of [[options], [undefined, options], [[], options]]) {
    assert.strictEqual((await requestFor(t, '/', ...args)).headers.origin, 'http://o');
  }
});

test('localAddress', { skip: process.platform !== 'linux' && 'Linux only' }, async (t) => {
  const { req } = await pair(t, {}, { localAddress: '127.0.0.2' });
  assert.strictEqual(req.socket.remoteAddress, '127.0.0.2');
});

test('lookup: called with the name, and what it says is used', async (t) => {
  const wss = await serve(t, {}, echo);
  const calls = [];
  const lookup = (hostname, options, cb) => {
    calls.push([hostname, options.family]);
    if (options.all) cb(null, [{ address: HOST, family: 4 }]);
    else cb(null, HOST, 4);
  };
  const url = urlOf(wss.testPort, 'name.invalid');
  const client = await connect(t, url, { lookup, family: 4, servername: 'localhost' });
  client.send('found');
  assert.strictEqual(String((await messages(client, 1))[0][0]), 'found');
  assert.deepStrictEqual(calls, [['name.invalid', 4]]);
  await connect(t, url, { lookup, servername: 'localhost' });
  assert.strictEqual(calls.length, 2);
  await connect(t, wss.testUrl, { lookup });
  assert.strictEqual(calls.length, 2, 'an address needs no lookup');
});

test('lookup: the Host header keeps the name', async (t) => {
  const server = await rawAcceptor(t);
  const { port } = server.address();
  const lookup = (hostname, options, cb) => cb(null, HOST, 4);
  dial(t, urlOf(port, 'name.invalid'), { lookup, family: 4, servername: 'localhost' });
  const peer = await server.next();
  assert.match(peer.request, new RegExp(`^host: name\\.invalid:${port}$`, 'im'));
});

test('family reaches the lookup', async (t) => {
  for (const family of [4, 6]) {
    const seen = new Promise((resolve) => {
      const lookup = (hostname, options, cb) => {
        resolve(options.family);
        cb(new Error('enough'));
      };
      dial(t, urlOf(1, 'name.invalid'), { lookup, family }).on('error', () => {});
    });
    assert.strictEqual(await seen, family);
  }
});

test('bracketed IPv6 hosts parse', async (t) => {
  const client = dial(t, urlOf(1, '[::1]'));
  const [err] = await once(client, 'error');
  assert.ok(['ECONNREFUSED', 'EADDRNOTAVAIL'].includes(err.code), err.code);
});

test('maxPayload of the client', async (t) => {
  const { client, peer } = await pair(t, {}, { maxPayload: 10 });
  peer.on('error', () => {});
  peer.send(Buffer.alloc(11));
  const [err] = await once(client, 'error');
  assert.strictEqual(err.code, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH');
});

test('skipUTF8Validation of the client', async (t) => {
  const server = await rawAcceptor(t);
  const client = dial(t, server.url, { skipUTF8Validation: true });
  const [peer] = await Promise.all([server.next(), once(client, 'open')]);
  const got = messages(client, 1);
  peer.send(OP.TEXT, Buffer.from([0xff]));
  assert.deepStrictEqual(await got, [[Buffer.from([0xff]), false]]);
});

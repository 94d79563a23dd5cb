'use strict';

const assert = require('node:assert');
const http = require('node:http');
const WebSocket = require('../support/impl');
const { HOST, once, record, test, until } = require('../support/helpers');
const { TOO_EARLY, connect, converse, dial, eachWay, failure } = require('./support/clients');
const {
  accept,
  deadPort,
  redirect,
  refusal,
  switching,
  upgradeServer
} = require('./support/servers');

/** A server that sends every path but `/end` to the one after it in `path`. */
function chain(t, path) {
  return upgradeServer(t, {
    answer(peer, req) {
      if (req.url === '/end') accept(peer, req);
      else peer.write(refusal(302, [`Location: ${path[path.indexOf(req.url) + 1]}`]));
    }
  });
}

for (const status of [300, 301, 302, 303, 307, 308]) {
  eachWay(`${status} with a Location is followed`, async (t, options) => {
    const target = await upgradeServer(t);
    const server = await upgradeServer(t, { answer: redirect(`${target.url}/to?q`, status) });
    const client = await connect(t, `${server.url}/from`, options({ followRedirects: true }));
    assert.strictEqual(client.url, `${target.url}/to?q`);
    assert.strictEqual(server.requests[0].url, '/from');
    assert.strictEqual(target.requests[0].url, '/to?q');
    await converse(client, await target.next());
  });
}

eachWay('relative locations, from where they are said', async (t, options) => {
  const locations = {
    '/a/b': () => 'c?x',
    '/a/c?x': () => '/d/',
    '/d/': () => './e',
    '/d/e': (url) => `//${url.slice(5)}/f`,
    '/f': () => '../end'
  };
  const server = await upgradeServer(t, {
    answer(peer, req) {
      const location = locations[req.url]?.(server.url);
      if (location) peer.write(refusal(302, [`Location: ${location}`]));
      else accept(peer, req);
    }
  });
  const client = await connect(t, `${server.url}/a/b`, options({ followRedirects: true }));
  assert.deepStrictEqual(
    server.requests.map((req) => req.url),
    ['/a/b', '/a/c?x', '/d/', '/d/e', '/f', '/end']
  );
  assert.strictEqual(client.url, `${server.url}/end`);
});

eachWay('a location of http: becomes ws:', async (t, options) => {
  const target = await upgradeServer(t);
  const location = `http://${HOST}:${target.port}/x`;
  const server = await upgradeServer(t, { answer: redirect(location) });
  const client = await connect(t, server.url, options({ followRedirects: true }));
  assert.strictEqual(client.url, `${target.url}/x`);
});

eachWay('each request is a new handshake, with the same fields', async (t, options) => {
  const server = await upgradeServer(t, {
    answer(peer, req) {
      if (req.url === '/end') peer.write(switching(req, ['Sec-WebSocket-Protocol: two']));
      else peer.write(refusal(302, ['Location: /end']));
    }
  });
  const headers = Object.freeze({ 'X-Token': 'abc' });
  const client = await connect(
    t,
    `${server.url}/start`,
    ['one', 'two'],
    options({ followRedirects: true, headers, origin: 'http://origin.test' })
  );
  assert.strictEqual(client.protocol, 'two');
  const [first, second] = server.requests.map((req) => req.headers);
  assert.notStrictEqual(first['sec-websocket-key'], second['sec-websocket-key']);
  for (const fields of [first, second]) {
    assert.strictEqual(fields['x-token'], 'abc');
    assert.strictEqual(fields.origin, 'http://origin.test');
    assert.strictEqual(fields['sec-websocket-protocol'], 'one,two');
    assert.strictEqual(fields.host, server.url.slice(5));
    assert.strictEqual(fields.connection, 'Upgrade');
  }
});

eachWay('the connection of the answer is given up, its body unread', async (t, options) => {
  const target = await upgradeServer(t);
  const server = await upgradeServer(t, {
    answer: (peer) =>
      peer.write(`HTTP/1.1 302 Found\r\nLocation: ${target.url}\r\nContent-Length: 99\r\n\r\nhalf`)
  });
  await connect(t, server.url, options({ followRedirects: true }));
  await (await server.next()).end();
});

eachWay('followRedirects: false, the default: the answer is unexpected', async (t, options) => {
  const server = await upgradeServer(t, { answer: redirect('/end') });
  for (const followRedirects of [false, undefined]) {
    const client = dial(t, server.url, options({ followRedirects }));
    const log = record(client, ['redirect']);
    assert.strictEqual((await failure(client)).message, 'Unexpected server response: 302');
    assert.deepStrictEqual(log, []);
  }
});

for (const [title, status, fields] of [
  ['without a Location', 302, []],
  ['of another class', 201, ['Location: /end']]
]) {
  eachWay(`an answer ${title} is unexpected`, async (t, options) => {
    const server = await upgradeServer(t, {
      answer: (peer) => peer.write(refusal(status, fields))
    });
    const err = await failure(dial(t, server.url, options({ followRedirects: true })));
    assert.strictEqual(err.message, `Unexpected server response: ${status}`);
  });
}

eachWay("'unexpected-response' of a redirect's target", async (t, options) => {
  const target = await upgradeServer(t, {
    answer: (peer) => peer.write(refusal(403, [], 'denied'))
  });
  const server = await upgradeServer(t, { answer: redirect(`${target.url}/t`) });
  const client = dial(t, server.url, options({ followRedirects: true }));
  const [req, res] = await once(client, 'unexpected-response');
  assert.strictEqual(req.path, '/t');
  assert.strictEqual(res.statusCode, 403);
});

eachWay('maxRedirects: one more is an error', async (t, options) => {
  for (const maxRedirects of [0, 1, 3]) {
    const server = await upgradeServer(t, { answer: redirect('/again') });
    const client = dial(t, server.url, options({ followRedirects: true, maxRedirects }));
    assert.strictEqual((await failure(client)).message, 'Maximum redirects exceeded');
    assert.strictEqual(server.requests.length, maxRedirects + 1);
  }
});

eachWay('maxRedirects: as many are followed', async (t, options) => {
  const server = await chain(t, ['/1', '/2', '/3', '/end']);
  await connect(t, `${server.url}/1`, options({ followRedirects: true, maxRedirects: 3 }));
  assert.strictEqual(server.requests.length, 4);
});

eachWay('maxRedirects: 10 by default', async (t, options) => {
  const server = await upgradeServer(t, { answer: redirect('/again') });
  const err = await failure(dial(t, server.url, options({ followRedirects: true })));
  assert.strictEqual(err.message, 'Maximum redirects exceeded');
  assert.strictEqual(server.requests.length, 11);
});

// [location, message, the url of the client then, if it is not that of the request]
for (const [location, message, url] of [
  ['http://', 'Invalid URL: http://'],
  ['ws://a:99999', 'Invalid URL: ws://a:99999'],
  [
    'ftp://example.test/',
    'The URL\'s protocol must be one of "ws:", "wss:", "http:", "https:", or "ws+unix:"',
    'ftp://example.test/'
  ],
  ['ws://a.test/x#fragment', 'The URL contains a fragment identifier', 'ws://a.test/x#fragment'],
  ['ws+unix:', "The URL's pathname is empty", 'ws+unix:']
]) {
  eachWay(`a bad location is a SyntaxError, as an event: ${location}`, async (t, options) => {
    const server = await upgradeServer(t, { answer: redirect(location) });
    const client = dial(t, server.url, options({ followRedirects: true }));
    const err = await failure(client);
    assert.ok(err instanceof SyntaxError);
    assert.strictEqual(err.message, message);
    assert.strictEqual(client.url, url ?? `${server.url}/`);
  });
}

eachWay('a target that is not there', async (t, options) => {
  const port = await deadPort();
  const server = await upgradeServer(t, { answer: redirect(`ws://${HOST}:${port}/`) });
  const err = await failure(dial(t, server.url, options({ followRedirects: true })));
  assert.strictEqual(err.code, 'ECONNREFUSED');
  assert.strictEqual(err.port, port);
});

eachWay("'redirect'(url, req): before the request goes out", async (t, options) => {
  const server = await chain(t, ['/1', '/2?x', '/end']);
  const client = dial(t, `${server.url}/1`, options({ followRedirects: true }));
  const seen = [];
  client.on('redirect', (url, req, ...rest) => {
    seen.push([url, client.url, req.path, client.readyState, rest.length]);
    assert.ok(req instanceof http.ClientRequest);
    req.setHeader('X-Hops', seen.length);
  });
  await once(client, 'open');
  const { url } = server;
  assert.deepStrictEqual(seen, [
    [`${url}/2?x`, `${url}/2?x`, '/2?x', WebSocket.CONNECTING, 0],
    [`${url}/end`, `${url}/end`, '/end', WebSocket.CONNECTING, 0]
  ]);
  assert.deepStrictEqual(
    server.requests.map((req) => req.headers['x-hops']),
    [undefined, '1', '2']
  );
});

eachWay("'upgrade' and 'open' follow 'redirect'", async (t, options) => {
  const server = await chain(t, ['/1', '/end']);
  const client = dial(t, `${server.url}/1`, options({ followRedirects: true }));
  const log = record(client, ['redirect', 'upgrade', 'open']);
  await once(client, 'open');
  assert.deepStrictEqual(
    log.map(([name]) => name),
    ['redirect', 'upgrade', 'open']
  );
});

eachWay("'redirect': req.destroy(err) is the error of the client", async (t, options) => {
  const server = await chain(t, ['/1', '/end']);
  const reason = new Error('not there');
  const client = dial(t, `${server.url}/1`, options({ followRedirects: true }));
  client.on('redirect', (url, req) => req.destroy(reason));
  assert.strictEqual(await failure(client), reason);
  assert.strictEqual(server.requests.length, 1);
});

for (const method of ['close', 'terminate']) {
  eachWay(`'redirect': ${method}()`, async (t, options) => {
    const server = await chain(t, ['/1', '/end']);
    const client = dial(t, `${server.url}/1`, options({ followRedirects: true }));
    client.on('redirect', () => client[method]());
    assert.strictEqual((await failure(client)).message, TOO_EARLY);
    assert.strictEqual(server.requests.length, 1);
  });
}

eachWay('the object of options is not changed', async (t, options) => {
  const server = await chain(t, ['/1', '/end']);
  const given = options({
    followRedirects: true,
    auth: 'user:pass',
    headers: Object.freeze({ Cookie: 'a=b' })
  });
  const before = { ...given };
  await connect(t, `${server.url}/1`, Object.freeze(given));
  assert.deepStrictEqual(given, before);
});

test('ten clients are redirected at once', async (t) => {
  const server = await chain(t, ['/1', '/2', '/end']);
  let open = 0;
  for (let i = 0; i < 10; i++) {
    dial(t, `${server.url}/1`, { followRedirects: true, perMessageDeflate: false }).on(
      'open',
      () => open++
    );
  }
  await until(() => open === 10);
  assert.strictEqual(server.requests.length, 30);
});

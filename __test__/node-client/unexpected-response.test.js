'use strict';

const assert = require('node:assert');
const http = require('node:http');
const WebSocket = require('../support/impl');
const { once, record, until } = require('../support/helpers');
const { TOO_EARLY, dial, eachWay, failure } = require('./support/clients');
const { refusal, refuse, upgradeServer } = require('./support/servers');

/** All of a readable, as text. */
async function text(readable) {
  let body = '';
  for await (const chunk of readable) body += chunk;
  return body;
}

for (const [status, fields] of [
  [200],
  [204],
  [301],
  [302, ['Location: /elsewhere']],
  [400],
  [401, ['WWW-Authenticate: Basic']],
  [404],
  [426, ['Upgrade: websocket', 'Connection: upgrade']],
  [500],
  [503]
]) {
  eachWay(`${status} without a listener is the error`, async (t, options) => {
    const server = await upgradeServer(t, { answer: refuse(status, fields) });
    const err = await failure(dial(t, server.url, options()));
    assert.strictEqual(err.constructor, Error);
    assert.strictEqual(err.message, `Unexpected server response: ${status}`);
    await (await server.next()).end();
  });
}

eachWay('a listener gets (req, res) and suppresses the error', async (t, options) => {
  const fields = ['X-Why: no', 'Set-Cookie: a=1', 'Set-Cookie: b=2'];
  const server = await upgradeServer(t, { answer: refuse(401, fields, 'denied') });
  const client = dial(t, `${server.url}/path?q`, options());
  const log = record(client, ['error', 'close', 'open', 'upgrade']);
  const [req, res, ...rest] = await once(client, 'unexpected-response');
  assert.deepStrictEqual(rest, []);
  assert.strictEqual(typeof req.destroy, 'function');
  assert.strictEqual(typeof req.abort, 'function');
  assert.strictEqual(req.path, '/path?q');
  assert.ok(res instanceof http.IncomingMessage);
  assert.strictEqual(res.statusCode, 401);
  assert.strictEqual(res.statusMessage, 'Unauthorized');
  assert.strictEqual(res.headers['x-why'], 'no');
  assert.deepStrictEqual(res.headers['set-cookie'], ['a=1', 'b=2']);
  assert.strictEqual(await text(res), 'denied');
  assert.deepStrictEqual(log, []);
  assert.strictEqual(client.readyState, WebSocket.CONNECTING);
});

eachWay('the request can be asked for its fields', async (t, options) => {
  const server = await upgradeServer(t, { answer: refuse(403) });
  const client = dial(t, server.url, options({ headers: { 'X-Token': 'abc' } }));
  const [req] = await once(client, 'unexpected-response');
  assert.ok(req instanceof http.ClientRequest);
  assert.strictEqual(req.method, 'GET');
  assert.strictEqual(req.getHeader('x-token'), 'abc');
  assert.strictEqual(req.getHeader('host'), server.url.slice(5));
  assert.strictEqual(req.getHeader('sec-websocket-version'), 13);
});

eachWay('a chunked body', async (t, options) => {
  const server = await upgradeServer(t, {
    answer: (peer) =>
      peer.write(
        'HTTP/1.1 500 Internal Server Error\r\nTransfer-Encoding: chunked\r\n\r\n' +
          '5\r\nfirst\r\n7\r\n second\r\n0\r\n\r\n'
      )
  });
  const [, res] = await once(dial(t, server.url, options()), 'unexpected-response');
  assert.strictEqual(await text(res), 'first second');
});

eachWay('a body that ends with the stream', async (t, options) => {
  const server = await upgradeServer(t, {
    answer: (peer) => peer.socket.end('HTTP/1.1 200 OK\r\n\r\nto the end')
  });
  const [, res] = await once(dial(t, server.url, options()), 'unexpected-response');
  assert.strictEqual(await text(res), 'to the end');
});

eachWay('a body of 2 MiB', async (t, options) => {
  const body = 'x'.repeat(2 << 20);
  const server = await upgradeServer(t, { answer: refuse(500, [], body) });
  const [, res] = await once(dial(t, server.url, options()), 'unexpected-response');
  assert.strictEqual(res.headers['content-length'], `${2 << 20}`);
  const received = await text(res);
  assert.ok(received === body);
});

eachWay('a body that arrives later', async (t, options) => {
  const server = await upgradeServer(t, {
    answer: (peer) => peer.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\n')
  });
  const [, res] = await once(dial(t, server.url, options()), 'unexpected-response');
  const peer = await server.next();
  peer.write('la');
  assert.strictEqual(String((await once(res, 'data'))[0]), 'la');
  peer.write('te');
  assert.strictEqual(await text(res), 'te');
});

eachWay('a head that arrives byte by byte, behind a 1xx', async (t, options) => {
  const server = await upgradeServer(t, {
    async answer(peer) {
      const early = 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n';
      for (const char of early + refusal(403, ['X-Why: no'], 'denied')) {
        peer.write(char);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  });
  const [, res] = await once(dial(t, server.url, options()), 'unexpected-response');
  assert.strictEqual(res.statusCode, 403);
  assert.strictEqual(res.headers['x-why'], 'no');
  assert.strictEqual(await text(res), 'denied');
});

eachWay('a body that is cut off: the response fails', async (t, options) => {
  const server = await upgradeServer(t, {
    answer: (peer) => peer.write('HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\nhalf')
  });
  const client = dial(t, server.url, options());
  const log = record(client, ['error', 'close']);
  const [, res] = await once(client, 'unexpected-response');
  const failed = once(res, 'error');
  res.resume();
  (await server.next()).socket.end();
  const [err] = await failed;
  assert.strictEqual(err.code, 'ECONNRESET');
  assert.strictEqual(err.message, 'aborted');
  assert.deepStrictEqual(log, []);
});

eachWay('the sockets of request and response', async (t, options) => {
  const server = await upgradeServer(t, { answer: refuse(403) });
  const [req, res] = await once(dial(t, server.url, options()), 'unexpected-response');
  const peer = await server.next();
  assert.strictEqual(res.socket, req.socket);
  assert.strictEqual(res.socket.remotePort, server.port);
  assert.strictEqual(res.socket.localPort, peer.socket.remotePort);
});

eachWay('a listener that is added when the request has gone out', async (t, options) => {
  const server = await upgradeServer(t, { answer: () => {} });
  const client = dial(t, server.url, options());
  const log = record(client, ['error', 'close']);
  const peer = await server.next();
  const refused = once(client, 'unexpected-response');
  peer.write(refusal(418, [], 'teapot'));
  const [, res] = await refused;
  assert.strictEqual(res.statusCode, 418);
  assert.strictEqual(await text(res), 'teapot');
  assert.deepStrictEqual(log, []);
});

eachWay('a listener that was removed does not count', async (t, options) => {
  const server = await upgradeServer(t, { answer: refuse(403) });
  const client = dial(t, server.url, options());
  const listener = () => assert.fail('not to be called');
  client.on('unexpected-response', listener);
  client.removeListener('unexpected-response', listener);
  assert.strictEqual((await failure(client)).message, 'Unexpected server response: 403');
});

for (const method of ['close', 'terminate']) {
  eachWay(`${method}() within it`, async (t, options) => {
    const server = await upgradeServer(t, { answer: refuse(403, [], 'denied') });
    const client = dial(t, server.url, options());
    client.on('unexpected-response', (req, res) => {
      res.on('error', () => {});
      client[method]();
      assert.strictEqual(client.readyState, WebSocket.CLOSING);
    });
    assert.strictEqual((await failure(client)).message, TOO_EARLY);
    await (await server.next()).end();
  });

  eachWay(`${method}() when the body has been read`, async (t, options) => {
    const server = await upgradeServer(t, { answer: refuse(403, [], 'denied') });
    const client = dial(t, server.url, options());
    const [, res] = await once(client, 'unexpected-response');
    assert.strictEqual(await text(res), 'denied');
    const failed = failure(client);
    client[method]();
    assert.strictEqual((await failed).message, TOO_EARLY);
  });
}

for (const [title, act] of [
  ['req.abort()', (req) => req.abort()],
  ['req.destroy()', (req) => req.destroy()],
  ['res.destroy()', (req, res) => res.destroy()]
]) {
  eachWay(`${title} within it ends the connection, and close() the client`, async (t, options) => {
    const server = await upgradeServer(t, {
      answer: (peer) => peer.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nhalf')
    });
    const client = dial(t, server.url, options());
    const log = record(client, ['error', 'close']);
    const [req, res] = await once(client, 'unexpected-response');
    res.on('error', () => {});
    act(req, res);
    await (await server.next()).end();
    await until(() => req.destroyed, 'the request to be destroyed');
    assert.deepStrictEqual(log, []);
    assert.strictEqual(client.readyState, WebSocket.CONNECTING);
    const failed = failure(client);
    client.close();
    assert.strictEqual((await failed).message, TOO_EARLY);
  });
}

eachWay('handshakeTimeout holds while the body arrives', async (t, options) => {
  const server = await upgradeServer(t, {
    answer: (peer) => peer.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nhalf')
  });
  const client = dial(t, server.url, options({ handshakeTimeout: 100 }));
  client.on('unexpected-response', (req, res) => res.on('error', () => {}).resume());
  assert.strictEqual((await failure(client)).message, 'Opening handshake has timed out');
  await (await server.next()).end();
});

eachWay('a listener is told of the answer of each client', async (t, options) => {
  const server = await upgradeServer(t, {
    answer: (peer, req) => peer.write(refusal(req.url === '/a' ? 404 : 410))
  });
  const seen = [];
  for (const path of ['/a', '/b']) {
    const client = dial(t, server.url + path, options());
    client.on('unexpected-response', (req, res) => {
      seen.push([path, res.statusCode]);
      client.on('error', () => {});
      client.terminate();
    });
  }
  await until(() => seen.length === 2);
  assert.deepStrictEqual(seen.sort(), [
    ['/a', 404],
    ['/b', 410]
  ]);
});

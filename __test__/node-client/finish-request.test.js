'use strict';

const assert = require('node:assert');
const http = require('node:http');
const WebSocket = require('../support/impl');
const { HOST, once, test } = require('../support/helpers');
const { TOO_EARLY, connect, converse, dial, eachWay, failure } = require('./support/clients');
const { redirect, upgradeServer } = require('./support/servers');

eachWay('is called in the constructor with (req, ws)', async (t, options) => {
  const server = await upgradeServer(t);
  const calls = [];
  const client = dial(
    t,
    `${server.url}/path`,
    'proto',
    options({
      origin: 'http://origin.test',
      finishRequest(...args) {
        calls.push(args);
        args[0].end();
      }
    })
  );
  assert.strictEqual(calls.length, 1);
  const [[req, ws, ...rest]] = calls;
  assert.deepStrictEqual(rest, []);
  assert.strictEqual(ws, client);
  assert.ok(req instanceof http.ClientRequest);
  assert.strictEqual(req.method, 'GET');
  assert.strictEqual(req.path, '/path');
  assert.strictEqual(req.getHeader('host'), server.url.slice(5));
  assert.strictEqual(req.getHeader('origin'), 'http://origin.test');
  assert.strictEqual(req.getHeader('sec-websocket-protocol'), 'proto');
  assert.strictEqual(req.getHeader('upgrade'), 'websocket');
  assert.match(req.getHeader('Sec-WebSocket-Key'), /^[+/0-9A-Za-z]{22}==$/);
  client.on('error', () => {});
});

eachWay('fields of the request can be set, changed and removed', async (t, options) => {
  const server = await upgradeServer(t);
  await connect(
    t,
    server.url,
    options({
      headers: { 'X-Changed': 'before', 'X-Removed': 'yes' },
      finishRequest(req) {
        req.setHeader('X-Set', 'set');
        req.setHeader('X-Changed', 'after');
        req.setHeader('Cookie', ['a=1', 'b=2']);
        req.removeHeader('X-Removed');
        req.end();
      }
    })
  );
  const { headers } = server.requests[0];
  assert.strictEqual(headers['x-set'], 'set');
  assert.strictEqual(headers['x-changed'], 'after');
  assert.strictEqual(headers.cookie, 'a=1; b=2');
  assert.strictEqual('x-removed' in headers, false);
});

eachWay('nothing is sent before req.end()', async (t, options) => {
  const server = await upgradeServer(t);
  let request;
  const finishRequest = (req) => (request = req);
  const client = dial(t, server.url, options({ finishRequest }));
  const [socket] = await once(request, 'socket');
  if (socket.connecting) await once(socket, 'connect');
  assert.strictEqual(socket.bytesWritten, 0);
  assert.strictEqual(client.readyState, WebSocket.CONNECTING);
  request.setHeader('X-Late', 'yes');
  request.end();
  await once(client, 'open');
  assert.strictEqual(server.requests[0].headers['x-late'], 'yes');
  await converse(client, await server.next());
});

eachWay('handshakeTimeout holds for a request that is not ended', async (t, options) => {
  const server = await upgradeServer(t);
  const client = dial(t, server.url, options({ handshakeTimeout: 50, finishRequest: () => {} }));
  const err = await failure(client);
  assert.strictEqual(err.message, 'Opening handshake has timed out');
  assert.strictEqual(server.requests.length, 0);
});

for (const method of ['close', 'terminate']) {
  eachWay(`${method}() before req.end()`, async (t, options) => {
    const server = await upgradeServer(t);
    const client = dial(t, server.url, options({ finishRequest: () => {} }));
    const failed = failure(client);
    client[method]();
    assert.strictEqual(client.readyState, WebSocket.CLOSING);
    assert.strictEqual((await failed).message, TOO_EARLY);
    assert.strictEqual(server.requests.length, 0);
  });

  eachWay(`${method}() within finishRequest`, async (t, options) => {
    const server = await upgradeServer(t);
    const client = dial(
      t,
      server.url,
      options({
        finishRequest(req, ws) {
          req.on('error', () => {});
          ws[method]();
        }
      })
    );
    assert.strictEqual(client.readyState, WebSocket.CLOSING);
    assert.strictEqual((await failure(client)).message, TOO_EARLY);
  });
}

eachWay('req.destroy(err): the error of the client is err', async (t, options) => {
  const server = await upgradeServer(t);
  const reason = new Error('destroyed');
  const finishRequest = (req) => req.destroy(reason);
  assert.strictEqual(await failure(dial(t, server.url, options({ finishRequest }))), reason);
});

eachWay('req.destroy(): socket hang up', async (t, options) => {
  const server = await upgradeServer(t);
  const finishRequest = (req) => req.destroy();
  const err = await failure(dial(t, server.url, options({ finishRequest })));
  assert.strictEqual(err.code, 'ECONNRESET');
  assert.strictEqual(err.message, 'socket hang up');
});

eachWay('what it throws leaves the constructor', (t, options) => {
  const reason = new Error('thrown');
  assert.throws(
    () =>
      new WebSocket(
        `ws://${HOST}:1`,
        options({
          finishRequest(req, ws) {
            ws.on('error', () => {});
            req.destroy();
            throw reason;
          }
        })
      ),
    (err) => err === reason
  );
});

eachWay('is called for each redirect, with its own request', async (t, options) => {
  const target = await upgradeServer(t);
  const server = await upgradeServer(t, { answer: redirect(`${target.url}/next`) });
  const paths = [];
  const client = await connect(
    t,
    `${server.url}/first`,
    options({
      followRedirects: true,
      finishRequest(req, ws) {
        paths.push([req.path, ws.url]);
        req.setHeader('X-Count', paths.length);
        req.end();
      }
    })
  );
  assert.deepStrictEqual(paths, [
    ['/first', `${server.url}/first`],
    ['/next', `${target.url}/next`]
  ]);
  assert.strictEqual(server.requests[0].headers['x-count'], '1');
  assert.strictEqual(target.requests[0].headers['x-count'], '2');
  await converse(client, await target.next());
});

test('what is falsy is not called', async (t) => {
  const server = await upgradeServer(t);
  for (const finishRequest of [null, undefined, false]) {
    await connect(t, server.url, { perMessageDeflate: false, finishRequest });
  }
});

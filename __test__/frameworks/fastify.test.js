'use strict';

// Fastify with @fastify/websocket: `handleUpgrade` behind Fastify's routes and hooks, and injectWS,
// a WebSocket on streams instead of sockets: `new WebSocket(null)` and `setSocket`.

const assert = require('node:assert');
const { HOST, connect, dial, discard, messages, once } = require('../support/helpers.js');
const { frameworkTest, load } = require('./support/load.js');

const Fastify = load('fastify');
const websocket = load('@fastify/websocket');

/** An application that listens; `define` adds its routes. */
async function start(t, define, options) {
  const app = await create(t, define, options);
  await app.listen({ host: HOST, port: 0 });
  app.host = `${HOST}:${app.server.address().port}`;
  return app;
}

async function create(t, define, options) {
  const app = Fastify({ forceCloseConnections: true });
  t.after(() => app.close());
  await app.register(websocket, { options });
  await app.register(async (scope) => define(scope));
  return app;
}

function echo(ws) {
  ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
}

frameworkTest('a route: parameters, query, headers, echo', async (t) => {
  const app = await start(t, (scope) => {
    scope.get('/echo/:name', { websocket: true }, (ws, req) => {
      echo(ws);
      ws.send(JSON.stringify([req.params, req.query, req.headers['x-token'], req.ip, req.ws]));
    });
  });
  const ws = dial(t, `ws://${app.host}/echo/ada?n=1`, { headers: { 'X-Token': 'abc' } });
  const [greeting] = await once(ws, 'message');
  assert.deepStrictEqual(JSON.parse(greeting), [{ name: 'ada' }, { n: '1' }, 'abc', HOST, true]);
  const large = Buffer.alloc(300_000, 'large');
  const echoes = messages(ws, 2);
  ws.send('héllo');
  ws.send(large);
  assert.deepStrictEqual(await echoes, [
    [Buffer.from('héllo'), false],
    [large, true]
  ]);
});

frameworkTest('one path for HTTP and WebSocket', async (t) => {
  const app = await start(t, (scope) => {
    scope.route({
      method: 'GET',
      url: '/both',
      handler: (req, reply) => reply.send({ ws: req.ws }),
      wsHandler: (ws, req) => ws.send(JSON.stringify({ ws: req.ws }))
    });
  });
  const response = await fetch(`http://${app.host}/both`);
  assert.deepStrictEqual(await response.json(), { ws: false });
  const ws = dial(t, `ws://${app.host}/both`);
  const [data] = await once(ws, 'message');
  assert.deepStrictEqual(JSON.parse(data), { ws: true });
});

frameworkTest('hooks refuse an upgrade', async (t) => {
  const app = await start(t, (scope) => {
    scope.addHook('preValidation', async (req, reply) => {
      if (req.headers['x-token'] !== 'yes') await reply.code(401).send('who are you?');
    });
    scope.get('/', { websocket: true }, echo);
  });
  const refused = dial(t, `ws://${app.host}/`);
  const [error] = await once(refused, 'error');
  assert.strictEqual(error.message, 'Unexpected server response: 401');
  const missing = dial(t, `ws://${app.host}/missing`);
  assert.strictEqual((await once(missing, 'error'))[0].message, 'Unexpected server response: 404');

  const ws = await connect(t, `ws://${app.host}/`, { headers: { 'X-Token': 'yes' } });
  ws.send('hello');
  assert.strictEqual(String((await once(ws, 'message'))[0]), 'hello');
});

frameworkTest('what comes while an asynchronous hook runs is not lost', async (t) => {
  const app = await start(t, (scope) => {
    // after the head of the request nothing is read until the WebSocket is there
    scope.addHook('preHandler', (req, reply, done) => setImmediate(done));
    scope.get('/', { websocket: true }, echo);
  });
  const ws = dial(t, `ws://${app.host}/`);
  ws.on('open', () => {
    for (let i = 0; i < 100; i++) ws.send(String(i));
  });
  const echoes = await messages(ws, 100);
  assert.deepStrictEqual(
    echoes.map(([data]) => Number(data)),
    Array.from({ length: 100 }, (_, i) => i)
  );
});

frameworkTest('options reach the server, errors the errorHandler', async (t) => {
  const errors = [];
  const app = Fastify({ forceCloseConnections: true });
  t.after(() => app.close());
  await app.register(websocket, {
    errorHandler: (error, ws) => {
      errors.push(error.code);
      ws.terminate();
    },
    options: { maxPayload: 10, handleProtocols: (protocols) => [...protocols].at(-1) }
  });
  await app.register(async (scope) => scope.get('/', { websocket: true }, echo));
  await app.listen({ host: HOST, port: 0 });

  const ws = await connect(t, `ws://${HOST}:${app.server.address().port}/`, ['one', 'two']);
  assert.strictEqual(ws.protocol, 'two');
  const [peer] = app.websocketServer.clients;
  const closed = Promise.all([
    once(ws, 'close'),
    new Promise((resolve) => peer.once('close', resolve))
  ]);
  ws.send('more than ten bytes');
  const [[code], peerCode] = await closed;
  assert.strictEqual(code, 1009);
  assert.strictEqual(peerCode, 1006);
  assert.deepStrictEqual(errors, ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH']);
});

frameworkTest('app.close() closes the clients', async (t) => {
  const app = await start(t, (scope) => scope.get('/', { websocket: true }, echo));
  const clients = [await connect(t, `ws://${app.host}/`), await connect(t, `ws://${app.host}/`)];
  const peers = [...app.websocketServer.clients];
  assert.strictEqual(peers.length, 2);
  const closes = Promise.all([...clients, ...peers].map((ws) => once(ws, 'close')));
  await app.close();
  for (const [code] of await closes) assert.strictEqual(code, 1005);
});

frameworkTest('injectWS: messages, both ways, without a socket', async (t) => {
  const app = await create(t, (scope) => {
    scope.get('/echo/:name', { websocket: true }, (ws, req) => {
      echo(ws);
      ws.send(`hello ${req.params.name}, ${req.headers['x-token']}`);
    });
  });
  await app.ready();
  const log = [];
  const ws = await app.injectWS(
    '/echo/ada',
    { headers: { 'x-token': 'abc' } },
    { onInit: (it) => it.on('message', (data, isBinary) => log.push([String(data), isBinary])) }
  );
  t.after(() => discard(ws));
  assert.strictEqual(ws.readyState, ws.OPEN);
  ws.send('text');
  ws.send(Buffer.from('binary'));
  ws.ping('are you there?');
  assert.strictEqual(String((await once(ws, 'pong'))[0]), 'are you there?');
  assert.deepStrictEqual(log, [
    ['hello ada, abc', false],
    ['text', false],
    ['binary', true]
  ]);
  const large = Buffer.alloc(1024 * 1024, 'large');
  ws.send(large);
  assert.deepStrictEqual((await once(ws, 'message'))[0], large);

  const [peer] = app.websocketServer.clients;
  ws.close(4001, 'bye');
  const [code, reason] = await once(ws, 'close');
  assert.deepStrictEqual([code, String(reason)], [4001, 'bye']);
  assert.notStrictEqual(peer.readyState, peer.OPEN);
  peer.terminate(); // these streams do not tell it that they have ended
});

frameworkTest('injectWS: terminate, and the server closes', async (t) => {
  const app = await create(t, (scope) => scope.get('/', { websocket: true }, echo));
  await app.ready();
  const first = await app.injectWS('/');
  const [peer] = app.websocketServer.clients;
  const gone = once(peer, 'close');
  first.terminate();
  assert.strictEqual((await gone)[0], 1006);

  const second = await app.injectWS('/');
  const [other] = app.websocketServer.clients;
  other.close(1001);
  assert.strictEqual((await once(second, 'close'))[0], 1001);
  other.terminate();
});

frameworkTest('injectWS: a refusal', async (t) => {
  const app = await create(t, (scope) => {
    scope.addHook('preValidation', async (req, reply) => {
      if (req.headers['x-token'] !== 'yes') await reply.code(403).send();
    });
    scope.get('/', { websocket: true }, echo);
  });
  await app.ready();
  await assert.rejects(app.injectWS('/'), { message: 'Unexpected server response: 403' });
  const ws = await app.injectWS('/', { headers: { 'x-token': 'yes' } });
  ws.send('hello');
  assert.strictEqual(String((await once(ws, 'message'))[0]), 'hello');
  ws.terminate();
});

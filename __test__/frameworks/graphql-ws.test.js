'use strict';

// graphql-ws: its server on a WebSocketServer, its client with `webSocketImpl`.

const assert = require('node:assert');
const http = require('node:http');
const { EventEmitter, on } = require('node:events');
const { connect, dial, once, serve, within } = require('../support/helpers.js');
const WebSocket = require('../support/impl.js');
const { frameworkTest, load } = require('./support/load.js');
const { listen } = require('./support/http.js');

const { buildSchema } = load('graphql');
const { createClient } = load('graphql-ws');
const { useServer } = load('graphql-ws/use/ws');

const SDL = `
  type Query { hello(name: String!): String! }
  type Mutation { say(text: String!): Boolean! }
  type Subscription { count(to: Int!): Int! said: String! }
`;

/**
 * Serves the schema on `wss`. `bus` carries what is 'said', and tells of the 'start' and the 'end'
 * of each subscription to it.
 */
function use(wss, options) {
  const bus = new EventEmitter();
  const schema = buildSchema(SDL);
  const { count, said } = schema.getSubscriptionType().getFields();
  count.subscribe = async function* (root, { to }) {
    for (let number = 1; number <= to; number++) yield { count: number };
  };
  said.subscribe = () => {
    const texts = on(bus, 'said');
    bus.emit('start');
    const ret = texts.return;
    texts.return = () => {
      bus.emit('end');
      return ret.call(texts);
    };
    return texts;
  };
  said.resolve = ([text]) => text;
  const roots = {
    query: { hello: ({ name }, { extra }) => `hello ${name}, you asked ${extra.request.url}` },
    mutation: { say: ({ text }) => bus.emit('said', text) }
  };
  const { dispose } = useServer({ schema, roots, context: (ctx) => ctx, ...options }, wss);
  return { bus, dispose };
}

/** A WebSocketServer on a free port, or on an HTTP server. */
async function start(t, options) {
  const wss = await serve(t, { path: '/graphql' });
  return { wss, url: `${wss.testUrl}/graphql`, ...use(wss, options) };
}

function client(t, url, options) {
  const it = createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0, ...options });
  t.after(() => it.dispose());
  return it;
}

/** All that an operation yields. */
async function collect(it, query, variables) {
  const results = [];
  for await (const result of it.iterate({ query, variables })) results.push(result);
  return results;
}

/** Subscribes to `said`; resolves when the server has the subscription. */
async function follow(it, bus) {
  const started = once(bus, 'start');
  const iterator = it.iterate({ query: 'subscription { said }' });
  const first = iterator.next();
  first.catch(() => {}); // awaited later
  await started;
  return { iterator, first };
}

frameworkTest('query and mutation', async (t) => {
  const { url } = await start(t);
  const it = client(t, url);
  assert.deepStrictEqual(
    await collect(it, 'query ($name: String!) { hello(name: $name) }', { name: 'Zoë' }),
    [{ data: { hello: 'hello Zoë, you asked /graphql' } }]
  );
  assert.deepStrictEqual(await collect(it, 'mutation { say(text: "unheard") }'), [
    { data: { say: false } }
  ]);
  const name = 'x'.repeat(200_000);
  const [{ data }] = await collect(it, `{ hello(name: "${name}") }`);
  assert.strictEqual(data.hello, `hello ${name}, you asked /graphql`);
});

frameworkTest('a subscription to its end', async (t) => {
  const { url } = await start(t);
  const results = await collect(client(t, url), 'subscription { count(to: 200) }');
  assert.deepStrictEqual(
    results.map(({ data }) => data.count),
    Array.from({ length: 200 }, (_, i) => i + 1)
  );
});

frameworkTest('a subscription that the client ends', async (t) => {
  const { url, bus } = await start(t);
  const { iterator, first } = await follow(client(t, url), bus);
  await collect(client(t, url), 'mutation { say(text: "hello") }');
  assert.deepStrictEqual((await first).value, { data: { said: 'hello' } });
  const ended = once(bus, 'end');
  await iterator.return();
  await ended;
});

frameworkTest('errors of an operation', async (t) => {
  const { url } = await start(t);
  const failing = client(t, url).iterate({ query: '{ unknown }' }).next();
  await assert.rejects(failing, ([error]) => /Cannot query field "unknown"/.test(error.message));
});

frameworkTest('connectionParams, and a connection that is refused', async (t) => {
  const { url } = await start(t, { onConnect: (ctx) => ctx.connectionParams?.token === 'yes' });
  const refused = collect(client(t, url), '{ hello(name: "you") }');
  await assert.rejects(refused, (event) => {
    assert.deepStrictEqual([event.code, event.reason], [4403, 'Forbidden']);
    assert.strictEqual(event.wasClean, true);
    return true;
  });
  const allowed = client(t, url, { connectionParams: { token: 'yes' } });
  const [{ data }] = await collect(allowed, '{ hello(name: "you") }');
  assert.strictEqual(data.hello, 'hello you, you asked /graphql');
});

frameworkTest('subprotocols', async (t) => {
  const { url } = await start(t);
  const ws = await connect(t, url, ['other', 'graphql-transport-ws']);
  assert.strictEqual(ws.protocol, 'graphql-transport-ws');
  const [error] = await once(dial(t, url, ['other']), 'error');
  assert.strictEqual(error.message, 'Server sent no subprotocol');
});

frameworkTest('the server is disposed of', async (t) => {
  const { url, bus, wss, dispose } = await start(t);
  const { first } = await follow(client(t, url), bus);
  const ended = once(bus, 'end');
  await within(dispose(), 'the end of the server');
  await assert.rejects(first, ({ code, reason }) => code === 1001 && reason === 'Going away');
  await ended;
  assert.strictEqual(wss.clients.size, 0);
});

frameworkTest('on an HTTP server, and the client reconnects', async (t) => {
  const server = http.createServer((req, res) => res.end('plain'));
  const wss = new WebSocket.WebSocketServer({ server, path: '/graphql' });
  const { bus } = use(wss);
  const host = await listen(t, server);
  assert.strictEqual(await (await fetch(`http://${host}/`)).text(), 'plain');

  const it = client(t, `ws://${host}/graphql`, {
    retryAttempts: 5,
    retryWait: () => new Promise((resolve) => setImmediate(resolve)),
    shouldRetry: () => true
  });
  const { first } = await follow(it, bus);
  const [peer] = wss.clients;
  const again = once(bus, 'start');
  peer.terminate();
  await again;
  bus.emit('said', 'after the break');
  assert.deepStrictEqual((await first).value, { data: { said: 'after the break' } });
});

'use strict';

// tRPC: applyWSSHandler on a WebSocketServer, and a client that is given the WebSocket class.

const assert = require('node:assert');
const { EventEmitter, on } = require('node:events');
const { once, serve, within } = require('../support/helpers.js');
const WebSocket = require('../support/impl.js');
const { frameworkTest, load } = require('./support/load.js');

const { TRPCError, initTRPC, tracked } = load('@trpc/server');
const { applyWSSHandler } = load('@trpc/server/adapters/ws');
const { createTRPCClient, createWSClient, wsLink } = load('@trpc/client');

async function start(t, options) {
  const bus = new EventEmitter();
  const { procedure, router } = initTRPC.context().create();
  const appRouter = router({
    hello: procedure
      .input(String)
      .query(({ input, ctx }) => `hello ${input} at ${ctx.url}, ${ctx.token}`),
    say: procedure.input(String).mutation(({ input }) => bus.emit('said', input)),
    fail: procedure.query(() => {
      throw new TRPCError({ code: 'FORBIDDEN', message: 'not yours' });
    }),
    count: procedure.input(Number).subscription(async function* ({ input }) {
      for (let number = 1; number <= input; number++) yield number;
    }),
    said: procedure.subscription(async function* ({ signal }) {
      signal.addEventListener('abort', () => bus.emit('end'));
      const texts = on(bus, 'said', { signal });
      bus.emit('start');
      let id = 0;
      for await (const [text] of texts) yield tracked(String(++id), text);
    })
  });
  const wss = await serve(t);
  const handler = applyWSSHandler({
    wss,
    router: appRouter,
    createContext: ({ req, info }) => ({ url: req.url, token: info.connectionParams?.token }),
    ...options
  });
  return { bus, handler, wss };
}

function client(t, { wss }, options) {
  const ws = createWSClient({ url: wss.testUrl, WebSocket, retryDelayMs: () => 0, ...options });
  t.after(() => ws.close());
  return { ws, api: createTRPCClient({ links: [wsLink({ client: ws })] }) };
}

/** Subscribes: promises of the first value, and of all at the end. */
function subscribe(procedure, input) {
  const data = [];
  let unsubscribe;
  let onFirst;
  const first = new Promise((resolve) => (onFirst = resolve));
  const ended = new Promise((resolve, reject) => {
    ({ unsubscribe } = procedure.subscribe(input, {
      onData: (value) => onFirst(value) ?? data.push(value),
      onComplete: () => resolve(data),
      onError: reject
    }));
  });
  return {
    first: within(first, 'a value of the subscription'),
    ended: within(ended, 'the end of the subscription'),
    unsubscribe
  };
}

frameworkTest('queries, mutations and the context', async (t) => {
  const server = await start(t);
  const { api } = client(t, server, { connectionParams: { token: 'abc' } });
  assert.strictEqual(
    await within(api.hello.query('Zoë'), 'the answer'),
    'hello Zoë at /?connectionParams=1, abc'
  );
  const answers = await within(
    Promise.all(Array.from({ length: 100 }, (_, i) => api.hello.query(`number ${i},`))),
    'the answers'
  );
  answers.forEach((answer, i) => assert(answer.startsWith(`hello number ${i},`), answer));
  assert.strictEqual(await within(api.say.mutate('unheard'), 'the answer'), false);
  const name = 'x'.repeat(300_000);
  assert.match(await within(api.hello.query(name), 'the answer'), /^hello x{300000} at /);
  assert.strictEqual(server.wss.clients.size, 1);
});

frameworkTest('an error', async (t) => {
  const { api } = client(t, await start(t));
  await assert.rejects(within(api.fail.query(), 'the error'), (error) => {
    assert.strictEqual(error.name, 'TRPCClientError');
    assert.strictEqual(error.message, 'not yours');
    assert.strictEqual(error.data.code, 'FORBIDDEN');
    return true;
  });
});

frameworkTest('a subscription to its end', async (t) => {
  const { api } = client(t, await start(t));
  const { ended } = subscribe(api.count, 200);
  assert.deepStrictEqual(
    await ended,
    Array.from({ length: 200 }, (_, i) => i + 1)
  );
});

frameworkTest('a subscription that the client ends', async (t) => {
  const server = await start(t);
  const { api } = client(t, server);
  const started = once(server.bus, 'start');
  const { first, ended, unsubscribe } = subscribe(api.said);
  await started;
  await within(api.say.mutate('hello'), 'the mutation');
  assert.deepStrictEqual(await first, { id: '1', data: 'hello' });
  const over = once(server.bus, 'end');
  unsubscribe();
  await over;
  assert.strictEqual((await ended).length, 1);
});

frameworkTest('the server asks to reconnect: subscriptions go on', async (t) => {
  const server = await start(t);
  const { api } = client(t, server);
  const started = once(server.bus, 'start');
  const { first, ended, unsubscribe } = subscribe(api.said);
  await started;
  const connection = once(server.wss, 'connection');
  const again = once(server.bus, 'start');
  server.handler.broadcastReconnectNotification();
  await connection;
  await again;
  await within(api.say.mutate('after'), 'the mutation');
  assert.strictEqual((await first).data, 'after');
  unsubscribe();
  await ended;
});

frameworkTest('a broken connection: subscriptions go on', async (t) => {
  const server = await start(t);
  const { api } = client(t, server);
  const started = once(server.bus, 'start');
  const { first, ended, unsubscribe } = subscribe(api.said);
  await started;
  const again = once(server.bus, 'start');
  for (const ws of server.wss.clients) ws.terminate();
  await again;
  await within(api.say.mutate('after'), 'the mutation');
  assert.strictEqual((await first).data, 'after');
  unsubscribe();
  await ended;
});

frameworkTest('a silent client is dropped by the keep-alive', async (t) => {
  const server = await start(t, { keepAlive: { enabled: true, pingMs: 10, pongWaitMs: 10 } });
  const connection = once(server.wss, 'connection');
  const ws = new WebSocket(server.wss.testUrl);
  t.after(() => ws.terminate());
  const [peer] = await connection;
  const closes = Promise.all([once(ws, 'close'), once(peer, 'close')]);
  assert.strictEqual(String((await once(ws, 'message'))[0]), 'PING');
  assert.deepStrictEqual(
    (await closes).map(([code]) => code),
    [1006, 1006]
  );
});

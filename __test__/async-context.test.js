'use strict';

// AsyncLocalStorage: in which context listeners and callbacks run.

const assert = require('node:assert');
const { AsyncLocalStorage } = require('node:async_hooks');
const { createClient, urlOf } = require('./support/carriers');
const { connect, discard, once, serve, test, until } = require('./support/helpers');
const { OP, closePayload, rawAcceptor, rawClient } = require('./support/raw-peer');

const context = new AsyncLocalStorage();

/** [event, store] for each event of `names`. */
function recordStores(emitter, names) {
  const log = [];
  for (const name of names) emitter.on(name, () => log.push([name, context.getStore()]));
  return log;
}

test("a client's events run in the context in which it was constructed", async (t) => {
  const server = await rawAcceptor(t);
  const names = ['upgrade', 'open', 'message', 'ping', 'pong', 'close'];
  const clients = ['a', 'b'].map((store) => context.run(store, () => createClient(server.url)));
  t.after(() => clients.forEach(discard));
  // the listeners are added outside of it
  const logs = clients.map((client) => recordStores(client, names));
  const raws = [await server.next(), await server.next()];
  for (const raw of raws) {
    raw.send(OP.TEXT, 'one');
    raw.send(OP.PING, '');
    raw.send(OP.PONG, '');
  }
  await until(() => logs.every((log) => log.length === 5));
  for (const raw of raws) raw.send(OP.CLOSE, closePayload(1000));
  await until(() => logs.every((log) => log.length === 6));
  ['a', 'b'].forEach((store, i) =>
    assert.deepStrictEqual(
      logs[i],
      names.map((name) => [name, store])
    )
  );
});

test('so does what a listener awaits', async (t) => {
  const server = await rawAcceptor(t);
  const client = context.run('mine', () => createClient(server.url));
  t.after(() => discard(client));
  const stores = [];
  client.on('message', async () => {
    await null;
    stores.push(context.getStore());
    setImmediate(() => stores.push(context.getStore()));
  });
  const raw = await server.next();
  raw.send(OP.TEXT, 'x');
  await until(() => stores.length === 2);
  assert.deepStrictEqual(stores, ['mine', 'mine']);
});

test("'error' and 'close' of a client that cannot connect", async (t) => {
  const client = context.run('lost', () => createClient(urlOf(1)));
  t.after(() => discard(client));
  const log = recordStores(client, ['error', 'close']);
  await until(() => log.length === 2);
  assert.deepStrictEqual(log, [
    ['error', 'lost'],
    ['close', 'lost']
  ]);
});

test('the context of who sends is not that of who receives', async (t) => {
  const server = await rawAcceptor(t);
  const client = context.run('client', () => createClient(server.url));
  t.after(() => discard(client));
  const raw = await server.next();
  await once(client, 'open');
  const log = recordStores(client, ['message']);
  context.run('sender', () => client.send('question'));
  await raw.frame();
  context.run('other', () => raw.send(OP.TEXT, 'answer'));
  await until(() => log.length === 1);
  assert.deepStrictEqual(log, [['message', 'client']]);
});

test('the callback of send() runs in the context of the call', async (t) => {
  const wss = await serve(t);
  const client = await connect(t, wss.testUrl);
  for (const store of ['first', 'second']) {
    const got = await new Promise((resolve) => {
      context.run(store, () => client.send('x', () => resolve(context.getStore())));
    });
    assert.strictEqual(got, store);
  }
});

test("a context entered for one connection of a server does not leak into another's events", async (t) => {
  let count = 0;
  const log = [];
  const wss = await serve(t, {}, (ws) => {
    const id = `connection ${count++}`;
    context.enterWith(id);
    for (const name of ['message', 'ping', 'close']) {
      ws.on(name, () => log.push([id, context.getStore()]));
    }
  });
  const raws = [];
  for (let i = 0; i < 3; i++) raws.push(await rawClient(t, wss.testPort));
  for (let i = 0; i < 5; i++) {
    for (const raw of raws) {
      raw.send(OP.TEXT, 'x');
      raw.send(OP.PING, '');
    }
  }
  await until(() => log.length === 30);
  for (const raw of raws) raw.send(OP.CLOSE, '');
  await until(() => log.length === 33);
  for (const [id, store] of log) {
    if (store !== undefined) assert.strictEqual(store, id);
  }
});

test("a context entered in a message listener does not leak into another connection's", async (t) => {
  const log = [];
  let count = 0;
  const wss = await serve(t, {}, (ws) => {
    const id = count++;
    ws.on('message', (data) => {
      log.push([id, context.getStore()]);
      context.enterWith(`${id}: ${data}`);
    });
  });
  const raws = [];
  for (let i = 0; i < 3; i++) raws.push(await rawClient(t, wss.testPort));
  for (let i = 0; i < 20; i++) for (const raw of raws) raw.send(OP.TEXT, String(i));
  await until(() => log.length === 60);
  for (const [id, store] of log) {
    if (store !== undefined) assert.ok(store.startsWith(`${id}: `), `${id} sees ${store}`);
  }
  assert.strictEqual(context.getStore(), undefined, 'nor out of the listeners');
});

test('what a handler starts keeps the context that the handler has entered', async (t) => {
  const stores = [];
  const wss = await serve(t, {}, (ws) => {
    ws.on('message', (data) => {
      context.run(String(data), () => {
        setImmediate(() => stores.push(context.getStore()));
        ws.send(data, () => stores.push(context.getStore()));
      });
    });
  });
  const raw = await rawClient(t, wss.testPort);
  raw.send(OP.TEXT, 'request 1');
  await until(() => stores.length === 2);
  raw.send(OP.TEXT, 'request 2');
  await until(() => stores.length === 4);
  assert.deepStrictEqual(stores, ['request 1', 'request 1', 'request 2', 'request 2']);
});

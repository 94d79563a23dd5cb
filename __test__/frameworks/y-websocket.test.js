'use strict';

// Yjs: the server's half of @y/websocket-server behind `handleUpgrade`, the client of y-websocket
// with `WebSocketPolyfill`.

const assert = require('node:assert');
const http = require('node:http');
const { within } = require('../support/helpers.js');
const WebSocket = require('../support/impl.js');
const { frameworkTest, load } = require('./support/load.js');
const { listen } = require('./support/http.js');

const Y = load('yjs');
const { WebsocketProvider } = load('y-websocket');
const { docs, setupWSConnection } = load('@y/websocket-server/utils');

async function start(t) {
  const server = http.createServer((req, res) => res.end('okay'));
  const wss = new WebSocket.WebSocketServer({ noServer: true });
  wss.on('connection', setupWSConnection);
  server.on('upgrade', (req, socket, head) => {
    wss.handleUpgrade(req, socket, head, (ws) => wss.emit('connection', ws, req));
  });
  t.after(() => {
    for (const ws of wss.clients) ws.terminate();
    for (const doc of docs.values()) doc.destroy();
    docs.clear();
  });
  wss.url = `ws://${await listen(t, server)}`;
  return wss;
}

/** A document that is connected to `room`, and its text. */
function join(t, wss, room, options) {
  const doc = new Y.Doc();
  const provider = new WebsocketProvider(wss.url, room, doc, {
    WebSocketPolyfill: WebSocket,
    disableBc: true,
    ...options
  });
  t.after(() => {
    provider.destroy();
    doc.destroy();
  });
  return { doc, provider, text: doc.getText('text') };
}

function event(observable, name) {
  const promise = new Promise((resolve) => observable.once(name, (...args) => resolve(args)));
  return within(promise, `'${name}'`);
}

async function synced({ provider }) {
  if (!provider.synced) await event(provider, 'sync');
}

/** Resolves when `predicate()` holds, which only an event `name` of `observable` can bring about. */
function when(observable, name, predicate) {
  let check;
  const promise = new Promise((resolve) => {
    check = () => predicate() && resolve();
    observable.on(name, check);
    check();
  });
  return within(promise, `${name}: ${predicate}`).finally(() => observable.off(name, check));
}

frameworkTest('two documents converge', async (t) => {
  const wss = await start(t);
  const [ada, bob] = [join(t, wss, 'room'), join(t, wss, 'room')];
  await Promise.all([synced(ada), synced(bob)]);
  for (let i = 0; i < 200; i++) {
    ada.text.insert(0, 'a');
    bob.text.insert(bob.text.length, 'b');
    if (i % 20 === 0) await new Promise(setImmediate);
  }
  const isComplete = ({ text }) => text.length === 400;
  await Promise.all([ada, bob].map((it) => when(it.doc, 'update', () => isComplete(it))));
  assert.strictEqual(ada.text.toString(), bob.text.toString());
  assert.strictEqual(ada.text.toString().replaceAll('b', ''), 'a'.repeat(200));
  // one order for all updates: the server has had each of them before it sent it on
  assert.strictEqual(docs.get('room').getText('text').toString(), ada.text.toString());
});

frameworkTest('a late client gets a large document', async (t) => {
  const wss = await start(t);
  const first = join(t, wss, 'large');
  await synced(first);
  first.text.insert(0, 'Grüße, '.repeat(50_000));
  first.doc.getMap('bytes').set('all', new Uint8Array(300_000).fill(7));
  await within(
    new Promise((resolve) => {
      const doc = docs.get('large');
      if (doc.getMap('bytes').has('all')) resolve();
      else doc.getMap('bytes').observe(resolve);
    }),
    'the update'
  );
  const late = join(t, wss, 'large');
  await synced(late);
  assert.strictEqual(late.text.toString(), 'Grüße, '.repeat(50_000));
  assert.deepStrictEqual(late.doc.getMap('bytes').get('all'), new Uint8Array(300_000).fill(7));
});

frameworkTest('rooms are apart', async (t) => {
  const wss = await start(t);
  const [one, other] = [join(t, wss, 'one'), join(t, wss, 'other')];
  await Promise.all([synced(one), synced(other)]);
  one.text.insert(0, 'for room one');
  other.text.insert(0, 'for the other');
  const third = join(t, wss, 'other');
  await when(third.doc, 'update', () => third.text.length > 0);
  assert.strictEqual(third.text.toString(), 'for the other');
});

frameworkTest('awareness: who is there, and who has left', async (t) => {
  const wss = await start(t);
  const [ada, bob] = [join(t, wss, 'room'), join(t, wss, 'room')];
  await Promise.all([synced(ada), synced(bob)]);
  const { awareness } = bob.provider;
  const seen = () => awareness.getStates().get(ada.doc.clientID);
  ada.provider.awareness.setLocalStateField('user', { name: 'Ada' });
  await when(awareness, 'change', () => seen()?.user);
  assert.deepStrictEqual(seen().user, { name: 'Ada' });
  ada.provider.ws.terminate(); // without a word
  await when(awareness, 'change', () => !seen());
});

frameworkTest('a broken connection comes back, with what was written meanwhile', async (t) => {
  const wss = await start(t);
  const [ada, bob] = [join(t, wss, 'room'), join(t, wss, 'room')];
  await Promise.all([synced(ada), synced(bob)]);
  const lost = Promise.all([
    event(ada.provider, 'connection-close'),
    event(bob.provider, 'connection-close')
  ]);
  for (const ws of wss.clients) ws.terminate();
  const codes = (await lost).map(([{ code }]) => code);
  assert.deepStrictEqual(codes, [1006, 1006]);
  ada.text.insert(0, 'offline');
  bob.text.insert(0, 'offline');
  await Promise.all([ada, bob].map((it) => when(it.doc, 'update', () => it.text.length === 14)));
  assert.strictEqual(ada.text.toString(), bob.text.toString());
});

frameworkTest('a close that is final', async (t) => {
  const wss = await start(t);
  const it = join(t, wss, 'room');
  await synced(it);
  const closed = event(it.provider, 'closed');
  for (const ws of wss.clients) ws.close(4403, 'not yours');
  assert.deepStrictEqual((await closed)[0], { code: 4403, reason: 'not yours' });
  assert.strictEqual(it.provider.shouldConnect, false);
});

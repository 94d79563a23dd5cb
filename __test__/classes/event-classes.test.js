'use strict';

// What the listeners of addEventListener and of the on* attributes are given.

const assert = require('node:assert');
const WebSocket = require('../support/impl');
const { once, test, until } = require('../support/helpers');
const { dial, eachKind, pair, serve } = require('./support/pairs');

/** The names of all enumerable properties, those of the prototypes too. */
function enumerable(event) {
  const names = [];
  for (const name in event) names.push(name);
  return names.sort();
}

/** The next event of this type, as a listener of addEventListener gets it. */
function eventOf(ws, type) {
  return new Promise((resolve) => ws.addEventListener(type, resolve, { once: true }));
}

/** All four kinds of events of a client, by type. */
async function allEvents(t, kind) {
  const wss = await serve(t, kind);
  const accepted = once(wss, 'connection');
  const client = dial(t, kind, wss.url);
  const open = await eventOf(client, 'open');
  const [peer] = await accepted;
  peer.on('error', () => {});
  const pendingMessage = eventOf(client, 'message');
  peer.send('text');
  const message = await pendingMessage;
  const pending = [eventOf(client, 'error'), eventOf(client, 'close')];
  peer._socket.write(Buffer.from([0x83, 0]));
  const [error, close] = await Promise.all(pending);
  return { client, events: { open, message, error, close } };
}

eachKind('type and target of all of them', async (t, kind) => {
  const { client, events } = await allEvents(t, kind);
  for (const [type, event] of Object.entries(events)) {
    assert.strictEqual(event.type, type);
    assert.strictEqual(event.target, client);
  }
});

test('the classes: names and inheritance', async (t) => {
  const { events } = await allEvents(t, 'native');
  const classOf = (event) => event.constructor.name;
  assert.strictEqual(classOf(events.open), 'Event');
  assert.strictEqual(classOf(events.message), 'MessageEvent');
  assert.strictEqual(classOf(events.error), 'ErrorEvent');
  assert.strictEqual(classOf(events.close), 'CloseEvent');
  for (const event of Object.values(events)) assert.ok(event instanceof events.open.constructor);
});

test('the properties: enumerable, read-only, of the prototypes', async (t) => {
  const { events } = await allEvents(t, 'native');
  for (const [type, names] of [
    ['open', []],
    ['message', ['data']],
    ['error', ['error', 'message']],
    ['close', ['code', 'reason', 'wasClean']]
  ]) {
    const event = events[type];
    assert.deepStrictEqual(enumerable(event), [...names, 'target', 'type'].sort());
    assert.deepStrictEqual(Object.keys(event), []);
    for (const name of [...names, 'target', 'type']) {
      assert.throws(() => (event[name] = 'x'), TypeError);
    }
  }
});

test('the constructors and their defaults', async (t) => {
  const { events } = await allEvents(t, 'native');
  const make = (type, ...args) => new events[type].constructor(...args);
  assert.strictEqual(make('open', 'custom').type, 'custom');
  assert.strictEqual(make('open', 'custom').target, null);
  assert.strictEqual(make('message', 'message').data, null);
  assert.strictEqual(make('message', 'message', { data: 7 }).data, 7);
  const close = make('close', 'close');
  assert.deepStrictEqual([close.code, close.reason, close.wasClean], [0, '', false]);
  const full = make('close', 'close', { code: 1000, reason: 'r', wasClean: true });
  assert.deepStrictEqual([full.code, full.reason, full.wasClean], [1000, 'r', true]);
  const error = make('error', 'error');
  assert.deepStrictEqual([error.error, error.message], [null, '']);
  const cause = new Error('cause');
  const told = make('error', 'error', { error: cause, message: 'told' });
  assert.deepStrictEqual([told.error, told.message], [cause, 'told']);
});

eachKind('MessageEvent: text is a string, binary what binaryType says', async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  const seen = [];
  client.addEventListener('message', ({ data }) => seen.push(data));
  peer.send('t\u20acxt');
  await until(() => seen.length === 1);
  for (const [i, binaryType] of ['nodebuffer', 'arraybuffer', 'fragments', 'blob'].entries()) {
    client.binaryType = binaryType;
    peer.send(Buffer.from('bytes'));
    await until(() => seen.length === i + 2);
  }
  peer.send('');
  await until(() => seen.length === 6);
  const [text, buffer, arrayBuffer, fragments, blob, empty] = seen;
  assert.strictEqual(text, 't\u20acxt');
  assert.deepStrictEqual(buffer, Buffer.from('bytes'));
  assert.deepStrictEqual(Buffer.from(arrayBuffer), Buffer.from('bytes'));
  assert.deepStrictEqual(fragments, [Buffer.from('bytes')]);
  assert.strictEqual(await blob.text(), 'bytes');
  assert.strictEqual(empty, '');
});

eachKind('CloseEvent: code, reason as a string, wasClean', async (t, kind) => {
  for (const [act, code, reason, wasClean] of [
    [(peer) => peer.close(3000, 'r\u00e9ason'), 3000, 'r\u00e9ason', true],
    [(peer) => peer.close(), 1005, '', true],
    [(peer) => peer.terminate(), 1006, '', false]
  ]) {
    const { client, peer } = await pair(t, kind);
    const closed = eventOf(client, 'close');
    act(peer);
    const event = await closed;
    assert.deepStrictEqual([event.code, event.reason, event.wasClean], [code, reason, wasClean]);
    assert.strictEqual(event.target.readyState, WebSocket.CLOSED);
  }
});

eachKind('ErrorEvent: the error and its message', async (t, kind) => {
  const wss = await serve(t, kind, { verifyClient: () => false });
  const client = dial(t, kind, wss.url);
  let emitted;
  client.on('error', (err) => (emitted = err));
  const event = await eventOf(client, 'error');
  assert.strictEqual(event.error, emitted);
  assert.strictEqual(event.message, 'Unexpected server response: 401');
});

eachKind('each listener gets an event of its own, and `this` is the WebSocket', async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  const events = [];
  client.addEventListener('message', function (event) {
    assert.strictEqual(this, client);
    events.push(event);
  });
  client.onmessage = function (event) {
    assert.strictEqual(this, client);
    events.push(event);
  };
  const object = {
    handleEvent(event) {
      assert.strictEqual(this, object);
      events.push(event);
    }
  };
  client.addEventListener('message', object);
  peer.send('x');
  await until(() => events.length === 3);
  assert.strictEqual(new Set(events).size, 3);
  assert.deepStrictEqual(
    events.map(({ data }) => data),
    ['x', 'x', 'x']
  );
});

eachKind('addEventListener: once, the same handler twice, unknown types', async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  let count = 0;
  const handler = () => count++;
  client.addEventListener('message', handler);
  client.addEventListener('message', handler);
  client.addEventListener('message', () => count++, { once: true });
  client.addEventListener('ping', handler);
  client.addEventListener('upgrade', handler);
  assert.strictEqual(client.listenerCount('ping'), 0);
  peer.send('1');
  await until(() => count === 2);
  peer.send('2');
  await until(() => count === 3);
  client.removeEventListener('message', handler);
  client.removeEventListener('message', handler);
  const received = once(client, 'message');
  peer.send('3');
  await received;
  assert.strictEqual(count, 3);
});

'use strict';

// MQTT over WebSocket: the broker aedes on createWebSocketStream(); the client mqtt makes its
// WebSocket and the stream on it by itself.

const assert = require('node:assert');
const http = require('node:http');
const { once, within } = require('../support/helpers.js');
const WebSocket = require('../support/impl.js');
const { frameworkTest, load, loadModule } = require('./support/load.js');
const { listen } = require('./support/http.js');

const mqtt = load('mqtt');

async function start(t) {
  const { Aedes } = await loadModule('aedes');
  const broker = await Aedes.createBroker();
  const server = http.createServer();
  const wss = new WebSocket.WebSocketServer({ server, path: '/mqtt' });
  wss.on('connection', (ws, req) => {
    const stream = WebSocket.createWebSocketStream(ws);
    stream.on('error', () => {}); // a client that breaks off
    broker.handle(stream, req);
  });
  t.after(async () => {
    for (const ws of wss.clients) ws.terminate();
    await new Promise((resolve) => broker.close(resolve));
  });
  broker.url = `ws://${await listen(t, server)}/mqtt`;
  broker.wss = wss;
  return broker;
}

async function connect(t, broker, options) {
  const client = mqtt.connect(broker.url, { reconnectPeriod: 0, ...options });
  t.after(() => new Promise((resolve) => client.end(true, resolve)));
  await once(client, 'connect');
  return client;
}

/** The next `count` messages, as [topic, payload]. */
function messages(client, count) {
  const list = [];
  const promise = new Promise((resolve) => {
    client.on(
      'message',
      (topic, payload) => list.push([topic, payload]) === count && resolve(list)
    );
  });
  return within(promise, `${count} messages`);
}

frameworkTest('publish and subscribe', async (t) => {
  const broker = await start(t);
  const [ada, bob] = [await connect(t, broker), await connect(t, broker)];
  assert.deepStrictEqual(
    [...broker.wss.clients].map((ws) => ws.protocol),
    ['mqtt', 'mqtt']
  );
  await bob.subscribeAsync({ 'rooms/+': { qos: 2 } });
  const received = messages(bob, 4);
  const large = Buffer.alloc(1024 * 1024, 'large');
  await ada.publishAsync('rooms/1', 'héllo', { qos: 0 });
  await ada.publishAsync('rooms/2', Buffer.from([0, 255]), { qos: 1 });
  await ada.publishAsync('elsewhere', 'nobody', { qos: 1 });
  await ada.publishAsync('rooms/3', large, { qos: 2 });
  await ada.publishAsync('rooms/4', '', { qos: 1 });
  assert.deepStrictEqual(await received, [
    ['rooms/1', Buffer.from('héllo')],
    ['rooms/2', Buffer.from([0, 255])],
    ['rooms/3', large],
    ['rooms/4', Buffer.alloc(0)]
  ]);
});

frameworkTest('a burst keeps its order', async (t) => {
  const broker = await start(t);
  const client = await connect(t, broker);
  await client.subscribeAsync('numbers', { qos: 1 });
  const received = messages(client, 1000);
  for (let i = 0; i < 1000; i++) client.publish('numbers', String(i), { qos: i % 2 });
  // a broker may send on QoS 0 before QoS 1: each has its own order
  const numbers = (await received).map(([, payload]) => Number(payload));
  for (const qos of [0, 1]) {
    assert.deepStrictEqual(
      numbers.filter((i) => i % 2 === qos),
      Array.from({ length: 500 }, (_, i) => 2 * i + qos)
    );
  }
});

frameworkTest('a retained message and the last will', async (t) => {
  const broker = await start(t);
  const will = { topic: 'status', payload: Buffer.from('gone'), qos: 1, retain: false };
  const ada = await connect(t, broker, { will });
  await ada.publishAsync('status', 'here', { qos: 1, retain: true });
  const bob = await connect(t, broker);
  const received = messages(bob, 2);
  const first = once(bob, 'message');
  await bob.subscribeAsync('status', { qos: 1 });
  assert.strictEqual(String((await first)[1]), 'here');
  const [ws] = broker.wss.clients;
  ws.terminate();
  assert.deepStrictEqual((await received).map(String), ['status,here', 'status,gone']);
});

frameworkTest('a client reconnects, and its subscription is still there', async (t) => {
  const broker = await start(t);
  const client = await connect(t, broker, { reconnectPeriod: 1, clean: false, clientId: 'ada' });
  await client.subscribeAsync('news', { qos: 1 });
  const closed = once(client, 'close');
  const connected = once(client, 'connect');
  for (const ws of broker.wss.clients) ws.terminate();
  await closed;
  const [{ sessionPresent }] = await connected;
  assert.strictEqual(sessionPresent, true);
  const received = messages(client, 1);
  await client.publishAsync('news', 'after the break', { qos: 1 });
  assert.strictEqual(String((await received)[0][1]), 'after the break');
});

frameworkTest('end() is an end without the last will', async (t) => {
  const broker = await start(t);
  const will = { topic: 'status', payload: Buffer.from('gone'), qos: 1, retain: false };
  const bob = await connect(t, broker);
  await bob.subscribeAsync('status', { qos: 1 });
  const ada = await connect(t, broker, { will });
  const [, ws] = broker.wss.clients;
  const ends = Promise.all([once(broker, 'clientDisconnect'), once(ws, 'close')]);
  await ada.endAsync();
  const [[client]] = await ends;
  assert.strictEqual(client.id, ada.options.clientId);
  assert.strictEqual(broker.wss.clients.size, 1);
  const received = messages(bob, 1);
  await bob.publishAsync('status', 'the next', { qos: 1 });
  assert.deepStrictEqual((await received).map(String), ['status,the next']);
});

'use strict';

const assert = require('node:assert');
const { Duplex } = require('node:stream');
const WebSocket = require('../support/impl');
const { messages, once, record, test, until } = require('../support/helpers');
const { connecting, eachKind, pair } = require('./support/pairs');

const { createWebSocketStream } = WebSocket;

/** An open client as a stream, and the server's side. */
async function streamPair(t, kind, options) {
  const { client, peer, wss } = await pair(t, kind);
  const stream = createWebSocketStream(client, options);
  t.after(() => stream.on('error', () => {}).destroy());
  return { client, peer, stream, wss };
}

eachKind('is a Duplex with the options given, but for those that it sets', async (t, kind) => {
  const { stream } = await streamPair(t, kind, {
    readableHighWaterMark: 10,
    writableHighWaterMark: 20,
    objectMode: true,
    writableObjectMode: true,
    autoDestroy: true,
    emitClose: true,
    allowHalfOpen: true
  });
  assert.ok(stream instanceof Duplex);
  assert.strictEqual(stream.readableHighWaterMark, 10);
  assert.strictEqual(stream.writableHighWaterMark, 20);
  assert.strictEqual(stream.readableObjectMode, false);
  assert.strictEqual(stream.writableObjectMode, false);
});

eachKind('reads text and binary as bytes', async (t, kind) => {
  const { stream, peer } = await streamPair(t, kind);
  peer.send('text ');
  peer.send('');
  peer.send(Buffer.from('binary '));
  peer.send('\u20ac', () => peer.close());
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  assert.ok(chunks.every((chunk) => Buffer.isBuffer(chunk)));
  assert.strictEqual(String(Buffer.concat(chunks)), 'text binary \u20ac');
});

eachKind('reads strings with an encoding', async (t, kind) => {
  const { stream, peer } = await streamPair(t, kind, { encoding: 'utf8' });
  const euro = Buffer.from('\u20ac');
  peer.send(euro.subarray(0, 1));
  peer.send(euro.subarray(1), () => peer.close());
  let text = '';
  for await (const chunk of stream) {
    assert.strictEqual(typeof chunk, 'string');
    text += chunk;
  }
  assert.strictEqual(text, '\u20ac');
});

eachKind('readableObjectMode: each message is a chunk, text a string', async (t, kind) => {
  const { stream, peer } = await streamPair(t, kind, { readableObjectMode: true });
  peer.send('text');
  peer.send(Buffer.from('binary'));
  peer.send('');
  peer.send(Buffer.alloc(0));
  peer.send('last', () => peer.close());
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  assert.deepStrictEqual(chunks, ['text', Buffer.from('binary'), '', Buffer.alloc(0), 'last']);
});

eachKind('readableObjectMode: what binaryType says', async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  client.binaryType = 'arraybuffer';
  const stream = createWebSocketStream(client, { readableObjectMode: true });
  peer.send(Buffer.from('bytes'));
  const [chunk] = await once(stream, 'data');
  assert.ok(chunk instanceof ArrayBuffer);
  assert.strictEqual(String(Buffer.from(chunk)), 'bytes');
  stream.destroy();
});

eachKind('writes Buffers and strings as binary', async (t, kind) => {
  const { stream, peer } = await streamPair(t, kind);
  const received = messages(peer, 4);
  stream.write(Buffer.from('buffer'));
  stream.write('string');
  stream.write('6869', 'hex');
  stream.write(new Uint8Array([97]));
  assert.deepStrictEqual(await received, [
    [Buffer.from('buffer'), true],
    [Buffer.from('string'), true],
    [Buffer.from('hi'), true],
    [Buffer.from('a'), true]
  ]);
});

eachKind('decodeStrings: false: writes strings as text', async (t, kind) => {
  const { stream, peer } = await streamPair(t, kind, { decodeStrings: false });
  const received = messages(peer, 2);
  stream.write('string');
  stream.write(Buffer.from('buffer'));
  assert.deepStrictEqual(await received, [
    [Buffer.from('string'), false],
    [Buffer.from('buffer'), true]
  ]);
});

eachKind('defaultEncoding', async (t, kind) => {
  const { stream, peer } = await streamPair(t, kind, { defaultEncoding: 'hex' });
  const received = messages(peer, 1);
  stream.write('6869');
  assert.deepStrictEqual(await received, [[Buffer.from('hi'), true]]);
});

eachKind('cork: what is written at once stays apart', async (t, kind) => {
  const { stream, peer } = await streamPair(t, kind);
  const received = messages(peer, 2);
  stream.cork();
  stream.write('one');
  stream.write('two');
  stream.uncork();
  assert.deepStrictEqual(await received, [
    [Buffer.from('one'), true],
    [Buffer.from('two'), true]
  ]);
});

test('what is no Buffer or string is refused by the stream', async (t) => {
  const { stream } = await streamPair(t, 'native');
  for (const chunk of [7, true, {}, []]) {
    assert.throws(() => stream.write(chunk), { code: 'ERR_INVALID_ARG_TYPE' });
  }
});

eachKind('writes wait for open', async (t, kind) => {
  const { client, accepted } = await connecting(t, kind);
  const stream = createWebSocketStream(client);
  const order = [];
  client.on('open', () => order.push('open'));
  stream.write('one', () => order.push('one'));
  stream.write('two', () => order.push('two'));
  assert.strictEqual(client.readyState, WebSocket.CONNECTING);
  const peer = await accepted;
  const received = await messages(peer, 2);
  assert.deepStrictEqual(
    received.map(([data]) => String(data)),
    ['one', 'two']
  );
  await until(() => order.length === 3);
  assert.deepStrictEqual(order, ['open', 'one', 'two']);
  stream.destroy();
});

eachKind('end() before open: everything is sent, then the close frame', async (t, kind) => {
  const { client, accepted } = await connecting(t, kind);
  const stream = createWebSocketStream(client);
  stream.write('one');
  stream.end('two');
  stream.resume();
  const log = record(await accepted, ['message', 'close']);
  await until(() => log.at(-1)?.[0] === 'close');
  assert.deepStrictEqual(log, [
    ['message', Buffer.from('one'), true],
    ['message', Buffer.from('two'), true],
    ['close', 1005, Buffer.alloc(0)]
  ]);
});

eachKind('one message at a time is on its way', async (t, kind) => {
  const { stream, client, peer } = await streamPair(t, kind);
  const received = messages(peer, 64);
  const { send } = client;
  let pending = 0;
  let most = 0;
  client.send = function (data, callback) {
    most = Math.max(most, ++pending);
    send.call(this, data, (err) => {
      pending--;
      callback(err);
    });
  };
  for (let i = 0; i < 64; i++) stream.write(Buffer.alloc(50000, i));
  const list = await received;
  assert.strictEqual(most, 1);
  list.forEach(([data], i) => assert.strictEqual(data[data.length - 1], i));
});

eachKind('the error of send is the error of the stream', async (t, kind) => {
  const { stream, client } = await streamPair(t, kind);
  const reason = new Error('not sent');
  client.send = (data, callback) => process.nextTick(callback, reason);
  const failed = once(stream, 'error');
  stream.write('x');
  assert.deepStrictEqual(await failed, [reason]);
  await once(stream, 'close');
});

eachKind('both ends as streams: a conversation', async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  const [near, far] = [client, peer].map((ws) => createWebSocketStream(ws, { encoding: 'utf8' }));
  far.on('data', (chunk) => far.write(chunk.toUpperCase()));
  far.on('end', () => far.end());
  near.write('a');
  assert.strictEqual((await once(near, 'data'))[0], 'A');
  near.end('b');
  assert.strictEqual((await once(near, 'data'))[0], 'B');
  await Promise.all([once(near, 'close'), once(far, 'close')]);
});

test('without options', async (t) => {
  const { client, peer } = await pair(t, 'native');
  const stream = createWebSocketStream(client);
  assert.strictEqual(stream.readableHighWaterMark, new Duplex().readableHighWaterMark);
  peer.send('x');
  assert.deepStrictEqual(await once(stream, 'data'), [Buffer.from('x')]);
  stream.destroy();
});

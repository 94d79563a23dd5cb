'use strict';

// How a stream over a WebSocket ends.

const assert = require('node:assert');
const WebSocket = require('../support/impl');
const { HOST, once, record, test, until } = require('../support/helpers');
const { OP, rawAcceptor } = require('../support/raw-peer');
const { connecting, dial, eachKind, pair, serve } = require('./support/pairs');

const { createWebSocketStream } = WebSocket;
const EVENTS = ['finish', 'end', 'error', 'close'];
const hasClosed = (log) => log.some(([name]) => name === 'close');

/** An open client as a stream that is read, with the logs of its events and of those of its peer. */
async function streamPair(t, kind) {
  const { client, peer } = await pair(t, kind);
  const stream = createWebSocketStream(client);
  stream.resume();
  peer.on('error', () => {});
  return {
    client,
    peer,
    stream,
    log: record(stream, EVENTS),
    clientLog: record(client, ['error', 'close']),
    peerLog: record(peer, ['message', 'close'])
  };
}

eachKind('end(): close(); finish, end, close', async (t, kind) => {
  const { stream, client, log, peerLog } = await streamPair(t, kind);
  stream.end('last');
  await until(() => hasClosed(log) && hasClosed(peerLog));
  assert.deepStrictEqual(log, [['finish'], ['end'], ['close']]);
  assert.deepStrictEqual(peerLog, [
    ['message', Buffer.from('last'), true],
    ['close', 1005, Buffer.alloc(0)]
  ]);
  assert.strictEqual(client.readyState, WebSocket.CLOSED);
  assert.strictEqual(stream.destroyed, true);
});

eachKind('end() of a stream that is not read: finish alone', async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  const stream = createWebSocketStream(client);
  const log = record(stream, EVENTS);
  const peerLog = record(peer, ['close']);
  peer.send('unread');
  stream.end();
  await until(() => log.length > 0 && hasClosed(peerLog));
  assert.deepStrictEqual(log, [['finish']]);
  const chunks = [];
  stream.on('data', (chunk) => chunks.push(String(chunk)));
  await until(() => hasClosed(log));
  assert.deepStrictEqual(chunks, ['unread']);
  assert.deepStrictEqual(log, [['finish'], ['end'], ['close']]);
});

eachKind('the peer closes: end; the stream is done when it is ended too', async (t, kind) => {
  const { stream, peer, client, log } = await streamPair(t, kind);
  peer.close(1001, 'going');
  await until(() => log.length > 0);
  await until(() => client.readyState === WebSocket.CLOSED);
  assert.deepStrictEqual(log[0], ['end']);
  stream.end();
  await until(() => hasClosed(log));
  assert.ok(!log.some(([name]) => name === 'error'));
  assert.deepStrictEqual(log.at(-1), ['close']);
});

eachKind('allowHalfOpen: false: the end of the peer ends the stream', async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  const stream = createWebSocketStream(client, { allowHalfOpen: false });
  const log = record(stream, EVENTS);
  stream.resume();
  peer.close();
  await until(() => hasClosed(log));
  assert.deepStrictEqual(log.map(([name]) => name).sort(), ['close', 'end', 'finish']);
});

eachKind('the peer is gone: end without an error', async (t, kind) => {
  const { stream, peer, client, log } = await streamPair(t, kind);
  peer.terminate();
  await until(() => log.length > 0);
  assert.deepStrictEqual(log, [['end']]);
  assert.strictEqual(client.readyState, WebSocket.CLOSED);
  stream.end();
  await until(() => hasClosed(log));
});

eachKind('a write after the close: an error', async (t, kind) => {
  const { stream, peer, log } = await streamPair(t, kind);
  peer.close();
  await until(() => log.length > 0);
  const failed = new Promise((resolve) => stream.write('late', resolve));
  assert.match((await failed).message, /^WebSocket is not open: readyState 3 \(CLOSED\)$/);
  await until(() => hasClosed(log));
  assert.strictEqual(log.filter(([name]) => name === 'error').length, 1);
});

eachKind('destroy(): terminate()', async (t, kind) => {
  const { stream, client, log, clientLog, peerLog } = await streamPair(t, kind);
  stream.destroy();
  assert.strictEqual(client.readyState, WebSocket.CLOSING);
  await until(() => hasClosed(log) && hasClosed(peerLog));
  assert.deepStrictEqual(log, [['close']]);
  assert.deepStrictEqual(clientLog, [['close', 1006, Buffer.alloc(0)]]);
  assert.deepStrictEqual(peerLog, [['close', 1006, Buffer.alloc(0)]]);
});

eachKind('destroy(err): terminate(), and the error', async (t, kind) => {
  const { stream, log, peerLog } = await streamPair(t, kind);
  const reason = new Error('destroyed');
  stream.destroy(reason);
  await until(() => hasClosed(log) && hasClosed(peerLog));
  assert.deepStrictEqual(log, [['error', reason], ['close']]);
  assert.deepStrictEqual(peerLog, [['close', 1006, Buffer.alloc(0)]]);
});

eachKind('destroy(): close comes after that of the WebSocket', async (t, kind) => {
  const { stream, client } = await streamPair(t, kind);
  const order = [];
  client.on('close', () => order.push('client'));
  stream.on('close', () => order.push('stream'));
  stream.destroy();
  await until(() => order.length === 2);
  assert.deepStrictEqual(order, ['client', 'stream']);
});

eachKind('destroy() of a stream whose WebSocket is CLOSED', async (t, kind) => {
  const { stream, client, log } = await streamPair(t, kind);
  const closed = once(client, 'close');
  client.terminate();
  await closed;
  stream.destroy();
  await until(() => hasClosed(log));
  assert.deepStrictEqual(log.at(-1), ['close']);
});

eachKind('terminate() of the WebSocket: end', async (t, kind) => {
  const { client, log } = await streamPair(t, kind);
  client.terminate();
  await until(() => log.length > 0);
  assert.deepStrictEqual(log, [['end']]);
});

eachKind('a protocol error: the same error, and the peer sees the close frame', async (t, kind) => {
  const { log, clientLog, peer, peerLog } = await streamPair(t, kind);
  peer._socket.write(Buffer.from([0x83, 0x00]));
  await until(() => hasClosed(log) && hasClosed(clientLog) && hasClosed(peerLog));
  assert.deepStrictEqual(
    log.map(([name]) => name),
    ['error', 'close']
  );
  const [[, err]] = log;
  assert.strictEqual(err.code, 'WS_ERR_INVALID_OPCODE');
  assert.strictEqual(clientLog[0][1], err);
  assert.strictEqual(clientLog[1][1], 1006);
  assert.deepStrictEqual(peerLog, [['close', 1002, Buffer.alloc(0)]]);
});

eachKind('a failed handshake: the same error, and close', async (t, kind) => {
  const wss = await serve(t, kind, { verifyClient: () => false });
  const client = dial(t, kind, wss.url);
  const clientLog = record(client, ['error', 'close']);
  const stream = createWebSocketStream(client);
  const log = record(stream, EVENTS);
  stream.write('never sent');
  stream.end();
  await until(() => hasClosed(log));
  assert.strictEqual(clientLog[0][1].message, 'Unexpected server response: 401');
  assert.deepStrictEqual(log, [['error', clientLog[0][1]], ['close']]);
});

eachKind('destroy() while CONNECTING', async (t, kind) => {
  const { client } = await connecting(t, kind, { server: { verifyClient: () => {} } });
  const clientLog = record(client, ['error', 'close']);
  const stream = createWebSocketStream(client);
  const log = record(stream, EVENTS);
  stream.destroy();
  await until(() => hasClosed(log));
  const [[, err]] = clientLog;
  assert.strictEqual(err.message, 'WebSocket was closed before the connection was established');
  assert.deepStrictEqual(log, [['error', err], ['close']]);
});

eachKind('close() while CONNECTING', async (t, kind) => {
  const { client } = await connecting(t, kind);
  const stream = createWebSocketStream(client);
  const log = record(stream, EVENTS);
  client.close();
  await until(() => hasClosed(log));
  assert.deepStrictEqual(
    log.map(([name]) => name),
    ['error', 'close']
  );
});

test("finish comes with the end of our half, not with the peer's", async (t) => {
  const server = await rawAcceptor(t);
  const client = dial(t, 'native', server.url);
  const [raw] = await Promise.all([server.next(), once(client, 'open')]);
  raw.socket.allowHalfOpen = true;
  const stream = createWebSocketStream(client);
  const log = record(stream, EVENTS);
  stream.resume();
  stream.end();
  assert.strictEqual(await raw.closeFrame(), 1005);
  raw.send(OP.CLOSE, '');
  await raw.end();
  await until(() => log.length > 0, "'finish'", 3000);
  assert.deepStrictEqual(log, [['finish']]);
  raw.socket.end();
  await until(() => hasClosed(log));
  assert.deepStrictEqual(log, [['finish'], ['end'], ['close']]);
});

test('an error without a listener is thrown', async (t) => {
  const { client } = await pair(t, 'native');
  const stream = createWebSocketStream(client);
  const reason = new Error('unheard');
  assert.throws(
    () => stream.emit('error', reason),
    (err) => err === reason
  );
  await once(stream, 'close');
});

test("an 'error' of the WebSocket needs no listener of its own", async (t) => {
  const client = new WebSocket(`ws://${HOST}:1`, { perMessageDeflate: false });
  t.after(() => client.terminate());
  const stream = createWebSocketStream(client);
  const [err] = await once(stream, 'error');
  assert.strictEqual(err.code, 'ECONNREFUSED');
});

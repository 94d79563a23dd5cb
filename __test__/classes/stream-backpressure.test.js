'use strict';

// A stream over a WebSocket holds its peer back, and is held back by it.

const assert = require('node:assert');
const { createHash } = require('node:crypto');
const { Readable, Transform, Writable, pipeline } = require('node:stream');
const { promisify } = require('node:util');
const WebSocket = require('../support/impl');
const { delay, record, until, within } = require('../support/helpers');
const { eachKind, pair } = require('./support/pairs');

const { createWebSocketStream } = WebSocket;
const run = promisify(pipeline);

const CHUNK = 64 * 1024;
/** Much more than two sockets and two high water marks hold. */
const TOTAL = 64 << 20;
const HELD = 32 << 20;

/** Waits until `value()` has not changed for a while: nothing says that something does not happen. */
async function settled(value) {
  let last = value();
  for (let same = 0; same < 15; same++) {
    await delay(20);
    const now = value();
    if (now !== last) same = 0;
    last = now;
  }
  return last;
}

/** `total` bytes in chunks, each different; `source.made` counts what has been asked for. */
function source(total, size = CHUNK) {
  const readable = new Readable({
    read() {
      if (readable.made === total) {
        this.push(null);
        return;
      }
      const chunk = Buffer.alloc(Math.min(size, total - readable.made), `${readable.made}-`);
      readable.made += chunk.length;
      this.push(chunk);
    }
  });
  readable.made = 0;
  return readable;
}

/** A Writable that hashes and counts. */
function sink() {
  const hash = createHash('sha256');
  const writable = new Writable({
    write(chunk, encoding, callback) {
      hash.update(chunk);
      writable.length += chunk.length;
      callback();
    }
  });
  writable.length = 0;
  writable.digest = () => hash.digest('hex');
  return writable;
}

async function digestOf(total, size) {
  const expected = sink();
  await run(source(total, size), expected);
  return expected.digest();
}

eachKind('a stream that is not read stops its peer', async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  const stream = createWebSocketStream(client);
  const chunk = Buffer.alloc(CHUNK);
  for (let sent = 0; sent < TOTAL; sent += CHUNK) peer.send(chunk);
  await until(() => client.isPaused, 'the client to be paused');
  const waiting = await settled(() => peer.bufferedAmount);
  assert.ok(waiting > TOTAL - HELD, `${waiting} bytes wait`);
  assert.ok(stream.readableLength < stream.readableHighWaterMark + 2 * CHUNK);

  let length = 0;
  stream.on('data', (data) => (length += data.length));
  await until(() => length === TOTAL, 'the rest', 15000);
  assert.strictEqual(client.isPaused, false);
  await until(() => peer.bufferedAmount === 0);
  stream.destroy();
});

eachKind('a reader that is slow gets everything, in order', async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  const stream = createWebSocketStream(client, { highWaterMark: 1000 });
  const count = 3000;
  for (let i = 0; i < count; i++) peer.send(String(i).padEnd(100));
  peer.close();
  let text = '';
  let pauses = 0;
  client.on('message', () => {
    if (client.isPaused) pauses++;
  });
  for await (const chunk of stream) {
    text += chunk;
    if (text.length % 20000 < 100) await delay(1);
  }
  assert.strictEqual(text, Array.from({ length: count }, (_, i) => String(i).padEnd(100)).join(''));
  assert.ok(pauses > 0, 'it was paused');
});

eachKind('readableObjectMode: the high water mark counts messages', async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  const options = { readableObjectMode: true, readableHighWaterMark: 4 };
  const stream = createWebSocketStream(client, options);
  for (let i = 0; i < 100; i++) peer.send(String(i));
  await until(() => client.isPaused);
  assert.ok(stream.readableLength >= 4);
  peer.close();
  const chunks = [];
  for await (const chunk of stream) chunks.push(Number(chunk));
  assert.deepStrictEqual(chunks, [...Array(100).keys()]);
});

eachKind('a peer that does not read stops a pipeline', async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  const stream = createWebSocketStream(client);
  peer.pause();
  const from = source(TOTAL);
  const done = run(from, stream);
  done.catch(() => {});
  const made = await settled(() => from.made);
  assert.ok(made > 0 && made < HELD, `${made} bytes made`);
  assert.ok(client.bufferedAmount <= 2 * CHUNK, `${client.bufferedAmount} bytes buffered`);
  assert.strictEqual(stream.writableNeedDrain, true);

  const to = sink();
  peer.on('message', (data) => to.write(data));
  stream.resume();
  peer.resume();
  await within(done, 'the pipeline', 15000);
  assert.strictEqual(to.length, TOTAL);
  assert.strictEqual(to.digest(), await digestOf(TOTAL));
});

eachKind("the callback of a write waits, and 'drain' follows it", async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  const stream = createWebSocketStream(client);
  peer.pause();
  const log = record(stream, ['drain']);
  let called = false;
  assert.strictEqual(
    stream.write(Buffer.alloc(HELD), () => (called = true)),
    false
  );
  await settled(() => client.bufferedAmount);
  assert.strictEqual(called, false);
  assert.deepStrictEqual(log, []);
  peer.resume();
  await until(() => called && log.length === 1);
  assert.strictEqual(stream.writableLength, 0);
  stream.destroy();
});

eachKind('20 MiB through an echo, both ways at once', async (t, kind) => {
  const total = 20 << 20;
  const { client, peer } = await pair(t, kind);
  const far = createWebSocketStream(peer);
  const echoed = run(far, new Transform({ transform: (data, _, done) => done(null, data) }), far);
  const near = createWebSocketStream(client);
  const to = sink();
  const ended = new Promise((resolve) => near.on('close', resolve));
  near.pipe(to);
  const from = source(total, 10007);
  from.on('data', (chunk) => {
    if (!near.write(chunk)) {
      from.pause();
      near.once('drain', () => from.resume());
    }
  });
  await until(() => to.length === total, 'the echo', 15000);
  near.end();
  await within(Promise.all([echoed, ended]), 'both ends');
  assert.strictEqual(to.digest(), await digestOf(total, 10007));
});

eachKind('20 MiB each way through pipelines of their own', async (t, kind) => {
  const total = 20 << 20;
  const { client, peer } = await pair(t, kind);
  const sinks = [sink(), sink()];
  const ends = [client, peer].map((ws) => createWebSocketStream(ws));
  // neither end closes before it has everything
  for (const [i, stream] of ends.entries()) {
    stream.on('data', (chunk) => sinks[i].write(chunk));
    source(total, 30000 + i).pipe(stream, { end: false });
  }
  await until(() => sinks.every(({ length }) => length === total), 'both', 15000);
  assert.strictEqual(sinks[0].digest(), await digestOf(total, 30001));
  assert.strictEqual(sinks[1].digest(), await digestOf(total, 30000));
  const closed = Promise.all(ends.map((end) => new Promise((resolve) => end.on('close', resolve))));
  for (const end of ends) end.end();
  await within(closed, 'the streams to close');
});

eachKind('pipeline to a stream: it ends with the close frame', async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  const log = record(peer, ['close']);
  const to = sink();
  peer.on('message', (data) => to.write(data));
  const stream = createWebSocketStream(client);
  stream.resume();
  await run(source(20 << 20), stream);
  await until(() => log.length > 0);
  assert.deepStrictEqual(log, [['close', 1005, Buffer.alloc(0)]]);
  assert.strictEqual(to.digest(), await digestOf(20 << 20));
});

eachKind('pipeline from a stream: it ends with the peer', async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  const to = sink();
  const stream = createWebSocketStream(client, { allowHalfOpen: false });
  const done = run(stream, to);
  for await (const chunk of source(20 << 20)) peer.send(chunk);
  peer.close();
  await within(done, 'the pipeline', 15000);
  assert.strictEqual(to.digest(), await digestOf(20 << 20));
});

eachKind('pipeline whose source fails: the connection is cut', async (t, kind) => {
  const { client, peer } = await pair(t, kind);
  const log = record(peer, ['close']);
  const reason = new Error('source failed');
  const from = new Readable({
    read() {
      this.destroy(reason);
    }
  });
  await assert.rejects(run(from, createWebSocketStream(client)), (err) => err === reason);
  await until(() => log.length > 0);
  assert.deepStrictEqual(log, [['close', 1006, Buffer.alloc(0)]]);
});

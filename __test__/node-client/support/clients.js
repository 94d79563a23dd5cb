'use strict';

const assert = require('node:assert');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const tls = require('node:tls');
const WebSocket = require('../../support/impl');
const { once, record, test, until } = require('../../support/helpers');
const { OP } = require('../../support/raw-peer');

const TOO_EARLY = 'WebSocket was closed before the connection was established';

/**
 * How the opening request can leave: by the implementation's own means, or by Node's
 * `http.request`, which an agent or a `createConnection` demands.
 */
const WAYS = {
  native: () => ({}),
  agent: (secure) => ({ agent: new (secure ? https : http).Agent() }),
  createConnection: (secure) => ({
    createConnection: (options) => (secure ? tls : net).connect(options)
  })
};

/** One test for each way; `fn(t, options)` adds the options of the way to those of a client. */
function eachWay(title, settings, fn) {
  if (typeof settings === 'function') [settings, fn] = [{}, settings];
  const { secure = false, ...rest } = settings;
  for (const [way, make] of Object.entries(WAYS)) {
    test(`${title} [${way}]`, rest, (t) =>
      fn(t, (options) => ({ perMessageDeflate: false, ...make(secure), ...options }), way)
    );
  }
}

/** A client that is discarded after the test; it may still be CONNECTING. */
function dial(t, url, ...args) {
  const client = new WebSocket(url, ...args);
  t.after(() => {
    client.on('error', () => {});
    client.terminate();
  });
  return client;
}

/** An open client. */
async function connect(t, url, ...args) {
  const client = dial(t, url, ...args);
  await once(client, 'open');
  return client;
}

/**
 * The error of a client that does not open: 'error', then 'close' 1006, and nothing after it.
 * `sameTick`: these two are in the same tick.
 */
async function failure(client, { sameTick = true } = {}) {
  const log = record(client, ['open', 'error', 'close']);
  const states = [];
  let ticks = 0;
  client.on('error', () => {
    states.push(client.readyState);
    process.nextTick(() => ticks++);
  });
  client.on('close', () => {
    states.push(client.readyState);
    if (sameTick) assert.strictEqual(ticks, 0, "'error' and 'close' in the same tick");
  });
  await until(() => log.some(([name]) => name === 'close'), "'close'");
  await new Promise((resolve) => setImmediate(resolve));
  const [[, err]] = log;
  assert.deepStrictEqual(log, [
    ['error', err],
    ['close', 1006, Buffer.alloc(0)]
  ]);
  assert.deepStrictEqual(states, [WebSocket.CLOSING, WebSocket.CLOSED]);
  return err;
}

/** Sends one text each way between `client` and the RawPeer `peer`. */
async function converse(client, peer) {
  const answer = once(client, 'message');
  peer.send(OP.TEXT, 'hello');
  const [data, isBinary] = await answer;
  assert.deepStrictEqual([String(data), isBinary], ['hello', false]);
  client.send('world');
  const frame = await peer.frame();
  assert.deepStrictEqual(
    [frame.opcode, frame.masked, String(frame.payload)],
    [OP.TEXT, true, 'world']
  );
}

module.exports = { TOO_EARLY, connect, converse, dial, eachWay, failure };

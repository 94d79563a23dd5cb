'use strict';

// A `wss:` client and Node's own https.request() with the same options meet the same server: both
// fail with the same error, or both connect and know the same about the server.

const assert = require('node:assert');
const net = require('node:net');
const { describe } = require('node:test');
const { HOST, test } = require('../support/helpers');
const { listen, upgradeServer } = require('../node-client/support/servers');
const servers = require('./support/bad-servers');
const { ofNode, ofWebSocket } = require('./support/outcome');

/** The port of a server of the table. */
async function start(t, what) {
  if (typeof what !== 'function') return (await upgradeServer(t, { tls: what })).port;
  return (await listen(t, net.createServer(what))).address().port;
}

/** The same outcome with `options`; returns it. */
async function same(host, port, options) {
  const expected = await ofNode(host, port, options);
  const actual = await ofWebSocket(host, port, options);
  assert.deepStrictEqual(actual, expected);
  return expected;
}

for (const [title, rows] of [
  ['chains', servers.CHAINS],
  ['times', servers.TIMES],
  ['usages', servers.USAGES],
  ['names', servers.NAMES],
  ['keys', servers.KEYS]
]) {
  describe(`certificates: ${title}`, () => {
    for (const [name, what, options, host = HOST] of rows) {
      test(name, async (t) => {
        const port = await start(t, what);
        const { code, authorized } = await same(host, port, options);
        assert.ok(code || authorized);
        // the error is then what the socket knows, and nothing else changes
        const lenient = await same(host, port, { ...options, rejectUnauthorized: false });
        assert.strictEqual(lenient.authorized, !code);
        assert.strictEqual(lenient.authorizationError, code ?? null);
      });
    }
  });
}

describe('agreements', () => {
  for (const [name, what, options, host = HOST] of servers.AGREEMENTS) {
    test(name, async (t) => {
      await same(host, await start(t, what), options);
    });
  }
});

describe('bytes that are no handshake', () => {
  for (const [name, what, options, host = HOST] of servers.BYTES) {
    test(name, async (t) => {
      const { code } = await same(host, await start(t, what), options);
      assert.match(code, /^(EPROTO|ECONNRESET)$/);
    });
  }
});

'use strict';

// A `wss:` client and Node's own, when something goes wrong behind the TLS handshake: before the
// server has answered the opening request, and in an open connection.

const assert = require('node:assert');
const { describe } = require('node:test');
const { HOST, record, test, until } = require('../support/helpers');
const { OP } = require('../support/raw-peer');
const { connect, dial } = require('../node-client/support/clients');
const { refusal, upgradeServer } = require('../node-client/support/servers');
const { pair, root } = require('../support/certificates');
const { ofNode, ofWebSocket } = require('./support/outcome');
const { tap } = require('./support/tapped');

const VERSIONS = ['TLSv1.2', 'TLSv1.3'];
const trusted = { ca: root };

/** A server of one version, behind a tap. */
async function tapped(t, version, answer) {
  let front = null;
  const server = await upgradeServer(t, {
    tls: { ...pair('direct'), minVersion: version, maxVersion: version },
    answer: answer && ((peer, req) => answer(peer, front.connections.at(-1), req))
  });
  front = await tap(t, server.port);
  return { server, front };
}

const plain = Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n');
const alert = Buffer.from([21, 3, 3, 0, 2, 2, 80]);
const undecryptable = Buffer.concat([Buffer.from([23, 3, 3, 0, 64]), Buffer.alloc(64, 0xa5)]);

for (const version of VERSIONS) {
  describe(`before the answer, ${version}`, () => {
    for (const [name, answer] of [
      ['the server ends', (peer) => peer.socket.end()],
      ['the end, without close_notify', (peer, { server }) => server.destroy()],
      ['a reset', (peer, { client }) => client.resetAndDestroy()],
      ['what is no HTTP', (peer) => peer.write('not HTTP at all\r\n\r\n')],
      ['half an answer', (peer) => peer.socket.end('HTTP/1.1 101 Switching Protocols\r\nUpg')]
    ]) {
      test(name, async (t) => {
        const { front } = await tapped(t, version, answer);
        const expected = await ofNode(HOST, front.port, trusted);
        assert.deepStrictEqual(await ofWebSocket(HOST, front.port, trusted), expected);
      });
    }

    // Which code OpenSSL has for these depends on the cipher; they are errors of TLS all the same.
    for (const [name, bytes] of [
      ['bytes outside of TLS', plain],
      ['an alert outside of the encryption', alert],
      ['a record that does not decrypt', undecryptable]
    ]) {
      test(name, async (t) => {
        const { front } = await tapped(t, version, (peer, { client }) => client.write(bytes));
        for (const outcome of [ofNode, ofWebSocket]) {
          const { code } = await outcome(HOST, front.port, trusted);
          assert.match(code, /^ERR_SSL_/);
        }
      });
    }

    test('a refusal', async (t) => {
      const { front } = await tapped(t, version, (peer) => peer.socket.end(refusal(401)));
      const { message } = await ofWebSocket(HOST, front.port, trusted);
      assert.strictEqual(message, 'Unexpected server response: 401');
    });
  });

  describe(`in an open connection, ${version}`, () => {
    for (const [name, break_] of [
      ['the server ends', (peer) => peer.socket.end()],
      ['the end, without close_notify', (peer, { server }) => server.destroy()],
      ['a reset', (peer, { client }) => client.resetAndDestroy()],
      ['bytes outside of TLS', (peer, { client }) => client.write(plain)],
      ['an alert outside of the encryption', (peer, { client }) => client.write(alert)],
      ['a record that does not decrypt', (peer, { client }) => client.write(undecryptable)],
      [
        'half a record, and the end',
        (peer, { client }) => client.end(undecryptable.subarray(0, 20))
      ],
      [
        'half a frame, and the end',
        (peer) => peer.socket.end(peer.build(OP.TEXT, 'half').subarray(0, 3))
      ]
    ]) {
      test(`${name}: 'close' 1006, and no error`, async (t) => {
        const { server, front } = await tapped(t, version);
        const url = `wss://${HOST}:${front.port}`;
        const client = await connect(t, url, { ...trusted, perMessageDeflate: false });
        const peer = await server.next();
        const log = record(client, ['message', 'error', 'close']);
        peer.send(OP.TEXT, 'before');
        await until(() => log.length === 1);
        break_(peer, front.connections[0]);
        await until(() => log.at(-1)[0] === 'close');
        assert.deepStrictEqual(log, [
          ['message', Buffer.from('before'), false],
          ['close', 1006, Buffer.alloc(0)]
        ]);
      });
    }
  });
}

describe('a handshake with one byte changed', () => {
  for (const version of VERSIONS) {
    test(`each seventh of the server's first 900, ${version}`, { timeout: 60000 }, async (t) => {
      const { server } = await tapped(t, version);
      let at = 0;
      const front = await tap(t, server.port, ({ client, server }) => {
        server.unpipe(client);
        let from = at;
        server.on('data', (chunk) => {
          if (from >= 0 && from < chunk.length) chunk[from] ^= 0xff;
          from -= chunk.length;
          client.write(chunk);
        });
        server.resume();
      });
      for (; at < 900; at += 7) {
        // a length that is too long has it wait for more
        const options = { ...trusted, handshakeTimeout: 100, perMessageDeflate: false };
        const client = dial(t, `wss://${HOST}:${front.port}`, options);
        const log = record(client, ['open', 'error']);
        await until(() => log.length > 0);
        client.terminate();
      }
      // what it is that makes them fail is the byte
      at = -1;
      await connect(t, `wss://${HOST}:${front.port}`, { ...trusted, perMessageDeflate: false });
    });
  }
});

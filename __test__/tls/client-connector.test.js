'use strict';

// What only hawser's clients have: `roots`, and a TlsConnector that many sockets share.

const assert = require('node:assert');
const { describe } = require('node:test');
const { TlsConnector } = require('../support/impl');
const { HOST, hawserTest } = require('../support/helpers');
const { OP } = require('../support/raw-peer');
const { connect, converse, dial, failure } = require('../node-client/support/clients');
const { upgradeServer } = require('../node-client/support/servers');
const { child } = require('../support/child');
const {
  certificate,
  file,
  key,
  pair,
  root,
  server: serverPair
} = require('../support/certificates');
const { connectTls, serveTls } = require('./support/servers');

const VERSIONS = ['TLSv1.2', 'TLSv1.3'];
const only = (version) => ({ minVersion: version, maxVersion: version });
const secureServer = (t, options) => upgradeServer(t, { tls: { ...serverPair, ...options } });

/** A client that only has a connector. */
const through = (connector) => ({ connector, perMessageDeflate: false });

describe('roots', () => {
  const attempt = `
    const ws = new WebSocket(arg.url, { roots: arg.roots });
    ws.on('open', () => {
      say('open', ws._socket.authorized);
      ws.terminate();
    });
    ws.on('error', (err) => say(err.code));
  `;
  const UNKNOWN = 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY';
  const asExtra = { NODE_EXTRA_CA_CERTS: file('root.crt') };
  const asSystem = { SSL_CERT_FILE: file('root.crt') };
  for (const [roots, name, env, expected] of [
    ['node', 'NODE_EXTRA_CA_CERTS', asExtra, 'open true'],
    ['node', 'SSL_CERT_FILE', asSystem, UNKNOWN],
    ['bundled', 'NODE_EXTRA_CA_CERTS', asExtra, UNKNOWN],
    ['bundled', 'SSL_CERT_FILE', asSystem, UNKNOWN],
    ['system', 'SSL_CERT_FILE', asSystem, 'open true'],
    ['system', 'nothing', {}, UNKNOWN],
    ['node', 'nothing', {}, UNKNOWN],
    ['bundled', 'nothing', {}, UNKNOWN]
  ]) {
    hawserTest(`'${roots}' with ${name}`, async (t) => {
      const server = await secureServer(t);
      const { lines, stderr } = await child(t, attempt, { url: server.url, roots }, env).exit;
      assert.deepStrictEqual(lines, [expected], stderr);
    });
  }

  hawserTest('ca is above it', async (t) => {
    const server = await secureServer(t);
    for (const roots of ['node', 'system', 'bundled']) {
      await connect(t, server.url, { ca: root, roots, perMessageDeflate: false });
    }
  });

  hawserTest('another value is an error that names it', async (t) => {
    const server = await secureServer(t);
    assert.throws(() => dial(t, server.url, { roots: 'nonsense' }), /roots/);
  });
});

describe('TlsConnector', () => {
  for (const version of VERSIONS) {
    hawserTest(`the second socket resumes the session of the first, ${version}`, async (t) => {
      const server = await secureServer(t, only(version));
      const connector = new TlsConnector({ ca: root });
      const seen = [];
      for (let i = 0; i < 3; i++) {
        const client = await connect(t, server.url, through(connector));
        const peer = await server.next();
        seen.push([client._socket.isSessionReused(), peer.socket.isSessionReused()]);
        await converse(client, peer); // by then it has the ticket
        client.terminate();
      }
      assert.deepStrictEqual(seen, [
        [false, false],
        [true, true],
        [true, true]
      ]);
    });

    hawserTest(
      `what is known of the server is known in a resumed session, ${version}`,
      async (t) => {
        const server = await secureServer(t, only(version));
        const connector = new TlsConnector({ ca: root });
        for (let i = 0; i < 2; i++) {
          const client = await connect(t, server.url, through(connector));
          await converse(client, await server.next());
          assert.strictEqual(client._socket.isSessionReused(), i > 0);
          assert.strictEqual(client._socket.authorized, true);
          assert.strictEqual(client._socket.authorizationError, null);
          assert.strictEqual(client._socket.getPeerCertificate().subject.CN, 'server');
        }
      }
    );

    hawserTest(`between hawser and hawser, ${version}`, async (t) => {
      const wss = await serveTls(t, only(version));
      const connector = new TlsConnector({ ca: root });
      const seen = [];
      wss.on('connection', (ws) => {
        ws.send('ticket behind me');
        seen.push(ws._socket.isSessionReused());
      });
      for (let i = 0; i < 3; i++) {
        const client = await connectTls(t, wss.testUrl, { ca: undefined, ...through(connector) });
        await new Promise((resolve) => client.once('message', resolve));
      }
      assert.deepStrictEqual(seen, [false, true, true]);
    });
  }

  hawserTest('many sockets at once', async (t) => {
    const server = await secureServer(t);
    const connector = new TlsConnector({ ca: root });
    const clients = await Promise.all(
      Array.from({ length: 50 }, () => connect(t, server.url, through(connector)))
    );
    for (let i = 0; i < clients.length; i++) {
      const peer = await server.next();
      peer.send(OP.TEXT, 'hello');
    }
    await Promise.all(clients.map((ws) => new Promise((resolve) => ws.once('message', resolve))));
  });

  hawserTest('the sessions of one server are not tried with another', async (t) => {
    const servers = [await secureServer(t), await secureServer(t, pair('direct'))];
    const connector = new TlsConnector({ ca: root });
    for (let round = 0; round < 2; round++) {
      for (const [i, server] of servers.entries()) {
        const client = await connect(t, server.url, through(connector));
        await converse(client, await server.next());
        const { CN } = client._socket.getPeerCertificate().subject;
        assert.strictEqual(CN, i === 0 ? 'server' : 'direct');
      }
    }
  });

  hawserTest('it has the certificate of the client', async (t) => {
    const server = await secureServer(t, { ca: root, requestCert: true, rejectUnauthorized: true });
    const connector = new TlsConnector({ ca: root, ...pair('client') });
    for (let i = 0; i < 2; i++) {
      const client = await connect(t, server.url, through(connector));
      const peer = await server.next();
      assert.strictEqual(peer.socket.getPeerCertificate().subject.CN, 'client');
      await converse(client, peer);
    }
  });

  hawserTest('it judges', async (t) => {
    const server = await secureServer(t);
    const err = await failure(dial(t, server.url, through(new TlsConnector())));
    assert.strictEqual(err.code, 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY');
    const other = new TlsConnector({ ca: certificate('other-root') });
    const again = await failure(dial(t, server.url, through(other)));
    assert.strictEqual(again.code, 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY');
    const lenient = new TlsConnector({ rejectUnauthorized: false });
    const client = await connect(t, server.url, through(lenient));
    assert.strictEqual(client._socket.authorized, false);
    assert.strictEqual(client._socket.authorizationError, 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY');
  });

  hawserTest('the name is that of each socket', async (t) => {
    const server = await secureServer(t, pair('wildcard'));
    const connector = new TlsConnector({ ca: root });
    const lookup = (host, options, callback) => callback(null, HOST, 4);
    const options = { ...through(connector), lookup, family: 4 };
    await connect(t, `wss://a.name.test:${server.port}`, options);
    await connect(t, `wss://b.name.test:${server.port}`, options);
    const err = await failure(dial(t, `wss://else.test:${server.port}`, options));
    assert.strictEqual(err.code, 'ERR_TLS_CERT_ALTNAME_INVALID');
    await connect(t, server.url, { ...options, servername: 'c.name.test' });
  });

  hawserTest('its versions and protocols', async (t) => {
    const server = await secureServer(t, { ALPNProtocols: ['http/1.1'] });
    const connector = new TlsConnector({
      ca: root,
      maxVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1']
    });
    const client = await connect(t, server.url, through(connector));
    assert.strictEqual(client._socket.getProtocol(), 'TLSv1.2');
    assert.strictEqual(client._socket.alpnProtocol, 'http/1.1');
  });

  hawserTest('of no use for ws:, and no obstacle', async (t) => {
    const server = await upgradeServer(t);
    const client = await connect(t, server.url, through(new TlsConnector()));
    await converse(client, await server.next());
  });

  for (const [name, options, expected] of [
    ['cert is garbage', { cert: 'garbage', key: key() }, /\bcert\b/],
    ['key is garbage', { cert: certificate('client'), key: 'garbage' }, /\bkey\b/],
    [
      'a wrong passphrase',
      { cert: certificate('client'), key: key('leaf-pkcs8-encrypted'), passphrase: 'wrong' },
      /passphrase/
    ],
    [
      'the key of another certificate',
      { cert: certificate('client'), key: key('mismatched') },
      { code: 'ERR_OSSL_X509_KEY_VALUES_MISMATCH' }
    ],
    ['pfx', { pfx: Buffer.alloc(1) }, { code: 'ERR_HAWSER_NOT_SUPPORTED', message: /pfx/ }],
    ['ciphers', { ciphers: 'x' }, { code: 'ERR_HAWSER_NOT_SUPPORTED', message: /ciphers/ }],
    ['roots', { roots: 'nonsense' }, /roots/]
  ]) {
    hawserTest(`bad options: ${name}`, () => {
      assert.throws(() => new TlsConnector(options), expected);
    });
  }
});

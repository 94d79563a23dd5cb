'use strict';

// Options of a `wss:` client that ask for something, and what it then knows of its server: the same
// as Node's own client.

const assert = require('node:assert');
const https = require('node:https');
const tls = require('node:tls');
const { describe } = require('node:test');
const { HOST, messages, once, record, test, until } = require('../support/helpers');
const { OP, closePayload } = require('../support/raw-peer');
const { connect, converse, dial, failure } = require('../node-client/support/clients');
const { redirect, upgradeServer } = require('../node-client/support/servers');
const { child } = require('../support/child');
const { certificate, file, pair, root, server: serverPair } = require('../support/certificates');
const { ofNode, ofWebSocket } = require('./support/outcome');

const VERSIONS = ['TLSv1.2', 'TLSv1.3'];
const trusted = { ca: root, perMessageDeflate: false };
const only = (version) => ({ minVersion: version, maxVersion: version });

const secureServer = (t, options, rest) =>
  upgradeServer(t, { tls: { ...serverPair, ...options }, ...rest });

/** A server whose names and protocols, as asked for by its clients, are in `asked`. */
async function attentiveServer(t, options) {
  const server = await secureServer(t, options);
  server.asked = [];
  server.on('secureConnection', ({ servername, alpnProtocol }) =>
    server.asked.push({ servername, alpnProtocol })
  );
  return server;
}

describe('the name that is asked for', () => {
  for (const [title, host, options, expected] of [
    ['that of the URL', 'localhost', {}, 'localhost'],
    ['none for an address', HOST, {}, false],
    ['servername', HOST, { servername: 'name.test' }, 'name.test'],
    ['servername, not the name of the URL', 'localhost', { servername: 'name.test' }, 'name.test'],
    ["servername: '' is none", 'localhost', { servername: '' }, false],
    ['in lower case from the URL', 'LOCALHOST', {}, 'localhost']
  ]) {
    test(title, async (t) => {
      const server = await attentiveServer(t);
      await connect(t, `wss://${host}:${server.port}`, { ...trusted, ...options });
      assert.strictEqual(server.asked[0].servername, expected);
    });
  }

  test('the Host header does not change it, other than with https.request()', async (t) => {
    const server = await attentiveServer(t);
    const headers = { Host: 'name.test' };
    await connect(t, `wss://localhost:${server.port}`, { ...trusted, headers });
    assert.strictEqual(server.asked[0].servername, 'localhost');
  });
});

describe('ALPN', () => {
  for (const [title, options, expected] of [
    ['nothing by default', {}, false],
    ['an array', { ALPNProtocols: ['http/1.1'] }, 'http/1.1'],
    ['a Buffer', { ALPNProtocols: Buffer.from('\x08http/1.1') }, 'http/1.1'],
    ['several', { ALPNProtocols: ['x', 'http/1.1'] }, 'http/1.1'],
    ['an empty array', { ALPNProtocols: [] }, false]
  ]) {
    test(title, async (t) => {
      const server = await attentiveServer(t, { ALPNProtocols: ['http/1.1'] });
      const client = await connect(t, server.url, { ...trusted, ...options });
      assert.strictEqual(server.asked[0].alpnProtocol, expected);
      assert.strictEqual(client._socket.alpnProtocol, expected);
    });
  }
});

describe('versions', () => {
  for (const [serverVersion, options, expected] of [
    ['TLSv1.2', {}, 'TLSv1.2'],
    ['TLSv1.3', {}, 'TLSv1.3'],
    [undefined, only('TLSv1.2'), 'TLSv1.2'],
    [undefined, only('TLSv1.3'), 'TLSv1.3'],
    [undefined, { maxVersion: 'TLSv1.2' }, 'TLSv1.2'],
    [undefined, { minVersion: 'TLSv1.3' }, 'TLSv1.3'],
    [undefined, { secureProtocol: 'TLSv1_2_method' }, 'TLSv1.2']
  ]) {
    test(`${serverVersion ?? 'any'}, and a client with ${JSON.stringify(options)}`, async (t) => {
      const server = await secureServer(t, serverVersion && only(serverVersion));
      const client = await connect(t, server.url, { ...trusted, ...options });
      assert.strictEqual(client._socket.getProtocol(), expected);
    });
  }

  test('TLS 1.1, for who insists', async (t) => {
    const old = { ...only('TLSv1.1'), ciphers: 'DEFAULT@SECLEVEL=0' };
    const server = await secureServer(t, old);
    const client = await connect(t, server.url, { ...trusted, ...old });
    assert.strictEqual(client._socket.getProtocol(), 'TLSv1.1');
    await converse(client, await server.next());
  });

  test('tls.DEFAULT_MAX_VERSION', async (t) => {
    const { DEFAULT_MAX_VERSION } = tls;
    t.after(() => (tls.DEFAULT_MAX_VERSION = DEFAULT_MAX_VERSION));
    const server = await secureServer(t);
    tls.DEFAULT_MAX_VERSION = 'TLSv1.2';
    const client = await connect(t, server.url, trusted);
    assert.strictEqual(client._socket.getProtocol(), 'TLSv1.2');
  });
});

describe('ca', () => {
  const other = certificate('other-root');
  for (const [title, ca] of [
    ['a string', String(root)],
    ['a Buffer', root],
    ['a Uint8Array', new Uint8Array(root)],
    ['an array', [other, root]],
    ['several in one', Buffer.concat([other, root])],
    ['text around it', `The root:\n${root}\nand no more`],
    ['CRLF', String(root).replaceAll('\n', '\r\n')],
    ['twice the same', [root, root]],
    ['garbage beside it', [root, 'garbage']]
  ]) {
    test(title, async (t) => {
      const server = await secureServer(t);
      const client = await connect(t, server.url, { ca, perMessageDeflate: false });
      assert.strictEqual(client._socket.authorized, true);
    });
  }

  for (const [title, ca] of [
    ['an empty array', []],
    ['an empty string', ''],
    ['null', null],
    ['undefined', undefined]
  ]) {
    test(`${title} is as with Node`, async (t) => {
      const server = await secureServer(t);
      const expected = await ofNode(HOST, server.port, { ca });
      assert.ok(expected.code);
      assert.deepStrictEqual(await ofWebSocket(HOST, server.port, { ca }), expected);
    });
  }

  test('they are instead of those of Node, not beside them', async (t) => {
    const server = await secureServer(t);
    const { lines } = await child(
      t,
      `const ws = new WebSocket(arg.url, { ca: arg.ca });
      ws.on('open', () => say('open') || process.exit());
      ws.on('error', (err) => say(err.code));`,
      { url: server.url, ca: String(other) },
      { NODE_EXTRA_CA_CERTS: file('root.crt') }
    ).exit;
    assert.deepStrictEqual(lines, ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY']);
  });
});

describe('the environment', () => {
  const attempt = `
    const ws = new WebSocket(arg);
    ws.on('open', () => {
      say('open', ws._socket.authorized, String(ws._socket.authorizationError));
      ws.terminate();
    });
    ws.on('error', (err) => say(err.code));
  `;
  for (const [title, env, expected] of [
    ['nothing', {}, 'SELF_SIGNED_CERT_IN_CHAIN'],
    ['NODE_EXTRA_CA_CERTS', { NODE_EXTRA_CA_CERTS: file('root.crt') }, 'open true null'],
    [
      'NODE_EXTRA_CA_CERTS with another root',
      { NODE_EXTRA_CA_CERTS: file('other-root.crt') },
      'SELF_SIGNED_CERT_IN_CHAIN'
    ],
    [
      'NODE_EXTRA_CA_CERTS that is not there',
      { NODE_EXTRA_CA_CERTS: file('nowhere.crt') },
      'SELF_SIGNED_CERT_IN_CHAIN'
    ],
    [
      'NODE_TLS_REJECT_UNAUTHORIZED=0',
      { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
      'open false SELF_SIGNED_CERT_IN_CHAIN'
    ],
    [
      'NODE_TLS_REJECT_UNAUTHORIZED=1',
      { NODE_TLS_REJECT_UNAUTHORIZED: '1' },
      'SELF_SIGNED_CERT_IN_CHAIN'
    ],
    [
      'SSL_CERT_FILE, which Node does not look at',
      { SSL_CERT_FILE: file('root.crt') },
      'SELF_SIGNED_CERT_IN_CHAIN'
    ],
    [
      'SSL_CERT_FILE with --use-openssl-ca',
      { SSL_CERT_FILE: file('root.crt'), NODE_OPTIONS: '--use-openssl-ca' },
      'open true null'
    ],
    [
      '--tls-max-v1.2, which the server does not speak',
      { NODE_EXTRA_CA_CERTS: file('root.crt'), NODE_OPTIONS: '--tls-max-v1.2' },
      'EPROTO'
    ]
  ]) {
    test(title, async (t) => {
      const tls = { ...pair('server', 'intermediate', 'root'), minVersion: 'TLSv1.3' };
      const server = await upgradeServer(t, { tls });
      const { lines, stderr } = await child(t, attempt, server.url, env).exit;
      assert.deepStrictEqual(lines, [expected], stderr);
    });
  }

  test('an explicit rejectUnauthorized: true is above NODE_TLS_REJECT_UNAUTHORIZED', async (t) => {
    const server = await secureServer(t);
    const { lines } = await child(
      t,
      `const ws = new WebSocket(arg, { rejectUnauthorized: true });
      ws.on('open', () => say('open') || ws.terminate());
      ws.on('error', (err) => say(err.code));`,
      server.url,
      { NODE_TLS_REJECT_UNAUTHORIZED: '0' }
    ).exit;
    assert.deepStrictEqual(lines, ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY']);
  });
});

describe('the socket', () => {
  /** What can be asked of it, without what differs between two connections. */
  function facts(socket) {
    const { issuerCertificate, ...leaf } = socket.getPeerCertificate(true);
    return {
      leaf,
      plain: socket.getPeerCertificate(),
      issuers: [issuerCertificate.subject.CN, issuerCertificate.issuerCertificate.subject.CN],
      x509: socket.getPeerX509Certificate().fingerprint256,
      cipher: socket.getCipher(),
      protocol: socket.getProtocol(),
      encrypted: socket.encrypted,
      authorized: socket.authorized,
      authorizationError: socket.authorizationError,
      alpnProtocol: socket.alpnProtocol,
      isSessionReused: socket.isSessionReused(),
      own: socket.getCertificate()
    };
  }

  for (const version of VERSIONS) {
    test(`knows what Node's knows, ${version}`, async (t) => {
      // one cipher, for the implementations may prefer others
      const ciphers =
        version === 'TLSv1.3' ? 'TLS_AES_128_GCM_SHA256' : 'ECDHE-ECDSA-AES128-GCM-SHA256';
      const server = await secureServer(t, { ...only(version), ciphers });
      const req = https.get({ host: HOST, port: server.port, ca: root, agent: false });
      req.on('error', () => {});
      const [socket] = await once(req, 'socket');
      await once(socket, 'secureConnect');
      const expected = facts(socket);
      req.destroy();
      const client = await connect(t, server.url, trusted);
      assert.deepStrictEqual(facts(client._socket), expected);
    });
  }

  test('the addresses, and who it is', async (t) => {
    const server = await secureServer(t);
    const client = await connect(t, server.url, trusted);
    const peer = await server.next();
    const { _socket: socket } = client;
    assert.strictEqual(socket.remoteAddress, HOST);
    assert.strictEqual(socket.remotePort, server.port);
    assert.strictEqual(socket.remoteFamily, 'IPv4');
    assert.strictEqual(socket.localPort, peer.socket.remotePort);
    assert.deepStrictEqual(socket.address(), {
      address: HOST,
      family: 'IPv4',
      port: peer.socket.remotePort
    });
  });

  test('what is known stays known when the connection has ended', async (t) => {
    const server = await secureServer(t);
    const client = await connect(t, server.url, trusted);
    const closed = once(client, 'close');
    const { _socket: socket } = client;
    (await server.next()).destroy();
    await closed;
    assert.strictEqual(socket.authorized, true);
    assert.strictEqual(socket.encrypted, true);
    assert.doesNotThrow(() => socket.getPeerCertificate());
    assert.doesNotThrow(() => socket.getProtocol());
    assert.doesNotThrow(() => socket.getCipher());
  });
});

for (const version of VERSIONS) {
  describe(`messages, ${version}`, () => {
    test('of all sizes, both ways', async (t) => {
      const server = await secureServer(t, only(version));
      const client = await connect(t, server.url, trusted);
      const peer = await server.next();
      for (const size of [0, 1, 125, 126, 65535, 65536, 16383, 16384, 16385, 4 << 20]) {
        const data = Buffer.alloc(size, 'abcdefg');
        const received = messages(client, 1);
        peer.send(OP.BINARY, data);
        client.send(data);
        assert.ok(data.equals((await received)[0][0]), `${size} bytes to the client`);
        assert.ok(data.equals((await peer.frame()).payload), `${size} bytes to the server`);
      }
    });

    test('20000 of them keep their order', async (t) => {
      const server = await secureServer(t, only(version));
      const client = await connect(t, server.url, trusted);
      const peer = await server.next();
      const received = messages(client, 20000);
      const frames = Array.from({ length: 20000 }, (_, i) => peer.build(OP.TEXT, String(i)));
      peer.write(Buffer.concat(frames));
      (await received).forEach(([data], i) => assert.strictEqual(Number(data), i));
      for (let i = 0; i < 2000; i++) client.send(String(i));
      for (let i = 0; i < 2000; i++) {
        assert.strictEqual(Number((await peer.frame()).payload), i);
      }
    });

    test('a message in records of one byte', async (t) => {
      const server = await secureServer(t, only(version));
      const client = await connect(t, server.url, trusted);
      const peer = await server.next();
      const received = messages(client, 1);
      for (const byte of peer.build(OP.TEXT, 'x'.repeat(300))) peer.write(Buffer.from([byte]));
      assert.strictEqual((await received)[0][0].length, 300);
    });

    test('the server does not read: bufferedAmount, then all arrives', async (t) => {
      const server = await secureServer(t, only(version));
      const client = await connect(t, server.url, trusted);
      const peer = await server.next();
      peer.socket.pause();
      for (let i = 0; i < 32; i++) client.send(Buffer.alloc(1 << 20, i));
      assert.ok(client.bufferedAmount > 0);
      peer.socket.resume();
      for (let i = 0; i < 32; i++) {
        assert.ok((await peer.frame()).payload.equals(Buffer.alloc(1 << 20, i)));
      }
      await until(() => client.bufferedAmount === 0);
    });

    test('the ends', async (t) => {
      const server = await secureServer(t, only(version));
      for (const [code, end] of [
        [1001, (peer) => peer.send(OP.CLOSE, closePayload(1001))],
        [1005, (peer) => peer.send(OP.CLOSE, '')],
        [1006, (peer) => peer.socket.end()],
        [1006, (peer) => peer.socket.destroy()]
      ]) {
        const client = await connect(t, server.url, trusted);
        const log = record(client, ['error', 'close']);
        end(await server.next());
        await until(() => log.length > 0);
        assert.deepStrictEqual(log, [['close', code, Buffer.alloc(0)]]);
      }
    });
  });
}

describe('redirects', () => {
  const followRedirects = { ...trusted, followRedirects: true };

  test('wss to wss: the same options hold for both', async (t) => {
    const last = await secureServer(t, { requestCert: true, ca: root, rejectUnauthorized: true });
    const first = await secureServer(t, null, { answer: redirect(`${last.url}/there`) });
    const client = await connect(t, first.url, { ...followRedirects, ...pair('client') });
    const peer = await last.next();
    assert.strictEqual(client.url, `${last.url}/there`);
    assert.strictEqual(peer.request.url, '/there');
    assert.strictEqual(peer.socket.getPeerCertificate().subject.CN, 'client');
    await converse(client, peer);
  });

  test('wss to ws, and back', async (t) => {
    const last = await secureServer(t);
    const middle = await upgradeServer(t, { answer: redirect(last.url) });
    const first = await secureServer(t, null, { answer: redirect(middle.url) });
    const client = await connect(t, first.url, followRedirects);
    assert.strictEqual(client.url, `${last.url}/`);
    await converse(client, await last.next());
  });

  test('to a server that is not trusted', async (t) => {
    const last = await secureServer(t, pair('self-signed'));
    const first = await secureServer(t, null, { answer: redirect(last.url) });
    const err = await failure(dial(t, first.url, followRedirects));
    assert.strictEqual(err.code, 'DEPTH_ZERO_SELF_SIGNED_CERT');
  });
});

describe('giving up', () => {
  for (const version of VERSIONS) {
    test(`handshakeTimeout covers TLS, ${version}`, async (t) => {
      const server = await secureServer(t, {
        ...only(version),
        SNICallback: () => {} // never answers
      });
      const options = { ...trusted, handshakeTimeout: 100 };
      const err = await failure(dial(t, `wss://localhost:${server.port}`, options));
      assert.strictEqual(err.message, 'Opening handshake has timed out');
    });
  }

  test('close() and terminate() in the handshake of TLS', async (t) => {
    let asked = 0;
    const server = await secureServer(t, { SNICallback: () => asked++ });
    for (const act of ['close', 'terminate']) {
      const client = dial(t, `wss://localhost:${server.port}`, trusted);
      asked = 0;
      await until(() => asked === 1);
      const failed = failure(client);
      client[act]();
      const { message } = await failed;
      assert.match(message, /closed before the connection was established/);
    }
  });
});

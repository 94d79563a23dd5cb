'use strict';

const assert = require('node:assert');
const https = require('node:https');
const net = require('node:net');
const tls = require('node:tls');
const WebSocket = require('../support/impl');
const { HOST, messages, record, test, until } = require('../support/helpers');
const { OP, closePayload } = require('../support/raw-peer');
const { connect, converse, dial, eachWay, failure } = require('./support/clients');
const {
  ca,
  client: clientPair,
  clientPfx,
  otherName,
  selfSigned,
  server: serverPair
} = require('./support/certificates');
const { listen, refuse, switching, upgradeServer } = require('./support/servers');

const SECURE = { secure: true };

/** An HTTPS server with the certificate for localhost, 127.0.0.1 and name.test. */
const secureServer = (t, options, rest) =>
  upgradeServer(t, { tls: { ...serverPair, ...options }, ...rest });

eachWay('ca: messages both ways', SECURE, async (t, options) => {
  const server = await secureServer(t);
  const client = await connect(t, `${server.url}/path?q`, options({ ca }));
  assert.strictEqual(client.url, `${server.url}/path?q`);
  const peer = await server.next();
  assert.strictEqual(peer.request.headers.host, server.url.slice(6));
  await converse(client, peer);
});

eachWay('https: is wss:', SECURE, async (t, options) => {
  const server = await secureServer(t);
  const client = await connect(t, `https://${HOST}:${server.port}/`, options({ ca }));
  assert.strictEqual(client.url, `${server.url}/`);
  await converse(client, await server.next());
});

eachWay('2 MiB both ways', SECURE, async (t, options) => {
  const server = await secureServer(t);
  const client = await connect(t, server.url, options({ ca }));
  const peer = await server.next();
  const payload = Buffer.alloc(2 << 20, 'abcdefg');
  const received = messages(client, 1);
  peer.send(OP.BINARY, payload);
  client.send(payload);
  assert.ok((await received)[0][0].equals(payload));
  assert.ok((await peer.frame()).payload.equals(payload));
  await until(() => client.bufferedAmount === 0);
});

eachWay('frames in the packet of the 101', SECURE, async (t, options) => {
  const server = await secureServer(t, null, {
    answer: (peer, req) =>
      peer.write(
        Buffer.concat([
          Buffer.from(switching(req)),
          peer.build(OP.TEXT, 'one'),
          peer.build(OP.PING, 'p'),
          peer.build(OP.BINARY, Buffer.alloc(100000)),
          peer.build(OP.CLOSE, closePayload(1000))
        ])
      )
  });
  const client = dial(t, server.url, options({ ca }));
  const log = record(client, ['open', 'message', 'ping', 'close', 'error']);
  await until(() => log.at(-1)?.[0] === 'close');
  assert.deepStrictEqual(
    log.map(([name, value]) => [name, value?.length ?? value]),
    [
      ['open', undefined],
      ['message', 3],
      ['ping', 1],
      ['message', 100000],
      ['close', 1000]
    ]
  );
});

eachWay('the socket of the client', SECURE, async (t, options) => {
  const server = await secureServer(t);
  const client = await connect(t, server.url, options({ ca }));
  const { _socket: socket } = client;
  assert.strictEqual(socket.encrypted, true);
  assert.strictEqual(socket.authorized, true);
  assert.strictEqual(socket.getPeerCertificate().subject.CN, 'server');
  assert.match(socket.getProtocol(), /^TLSv1\.[23]$/);
  assert.strictEqual(socket.remotePort, server.port);
});

eachWay("'upgrade': the response's socket is secure", SECURE, async (t, options) => {
  const server = await secureServer(t);
  const client = dial(t, server.url, options({ ca }));
  const encrypted = new Promise((resolve) => {
    client.on('upgrade', (res) => resolve(res.socket.encrypted));
  });
  assert.strictEqual(await encrypted, true);
});

for (const [title, pair, settings, code] of [
  ['a self-signed certificate', selfSigned, {}, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['an unknown authority', serverPair, {}, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ['another authority', serverPair, { ca: selfSigned.cert }, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ['the certificate of another name', otherName, { ca }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
  [
    'no common version',
    serverPair,
    { ca, maxVersion: 'TLSv1.2' },
    /^(EPROTO|ERR_SSL_\w*VERSION\w*)$/
  ]
]) {
  eachWay(`${title}: error and close`, SECURE, async (t, options) => {
    const server = await upgradeServer(t, { tls: { ...pair, minVersion: 'TLSv1.3' } });
    const err = await failure(dial(t, server.url, options(settings)));
    if (typeof code === 'string') assert.strictEqual(err.code, code);
    else assert.match(err.code, code);
    assert.strictEqual(server.requests.length, 0);
  });
}

eachWay('ERR_TLS_CERT_ALTNAME_INVALID says what was wrong', SECURE, async (t, options) => {
  const server = await secureServer(t, otherName);
  const err = await failure(dial(t, server.url, options({ ca })));
  assert.strictEqual(err.host, HOST);
  assert.strictEqual(err.cert.subject.CN, 'other');
  assert.match(err.reason, /127\.0\.0\.1 is not in the cert's list/);
});

eachWay('rejectUnauthorized: false', SECURE, async (t, options) => {
  for (const pair of [selfSigned, otherName]) {
    const server = await secureServer(t, pair);
    const client = await connect(t, server.url, options({ rejectUnauthorized: false }));
    assert.strictEqual(client._socket.authorized, false);
    await converse(client, await server.next());
  }
});

eachWay('a self-signed certificate may be its own authority', SECURE, async (t, options) => {
  const server = await secureServer(t, selfSigned);
  await connect(t, server.url, options({ ca: selfSigned.cert }));
});

eachWay(
  'checkServerIdentity is asked, and its error is that of the client',
  SECURE,
  async (t, options) => {
    const server = await secureServer(t, otherName);
    const calls = [];
    const trust = (host, cert) => void calls.push([host, cert.subject.CN]);
    await connect(t, server.url, options({ ca, checkServerIdentity: trust }));
    assert.deepStrictEqual(calls, [[HOST, 'other']]);
    const reason = new Error('not you');
    const checkServerIdentity = () => reason;
    const err = await failure(dial(t, server.url, options({ ca, checkServerIdentity })));
    assert.strictEqual(err, reason);
  }
);

/** A server that says which name was asked for: `server.names`, false for none. */
async function namedServer(t) {
  const names = [];
  const server = await secureServer(t, {
    SNICallback: (name, callback) => {
      names.push(name);
      callback(null, tls.createSecureContext(serverPair));
    }
  });
  server.on('secureConnection', (socket) => names.push(socket.servername));
  server.names = names;
  return server;
}

eachWay('servername: the name is asked for, and checked', SECURE, async (t, options) => {
  const server = await namedServer(t);
  await connect(t, server.url, options({ ca, servername: 'name.test' }));
  assert.deepStrictEqual(server.names, ['name.test', 'name.test']);
  const err = await failure(dial(t, server.url, options({ ca, servername: 'else.test' })));
  assert.strictEqual(err.code, 'ERR_TLS_CERT_ALTNAME_INVALID');
});

test('servername: the name of the URL by default, none for an address', async (t) => {
  const server = await namedServer(t);
  const lookup = (name, options, callback) => callback(null, HOST, 4);
  const settings = { ca, lookup, family: 4, perMessageDeflate: false };
  await connect(t, `wss://name.test:${server.port}/`, settings);
  assert.deepStrictEqual(server.names, ['name.test', 'name.test']);
  server.names.length = 0;
  await connect(t, server.url, settings);
  assert.deepStrictEqual(server.names, [false]);
});

test("servername: '' asks for none", async (t) => {
  const server = await namedServer(t);
  const lookup = (name, options, callback) => callback(null, HOST, 4);
  const checkServerIdentity = () => {};
  const settings = { ca, lookup, family: 4, servername: '', checkServerIdentity };
  await connect(t, `wss://name.test:${server.port}/`, { ...settings, perMessageDeflate: false });
  assert.deepStrictEqual(server.names, [false]);
});

/** A server that demands a certificate of `ca`. */
const demanding = (t, options) =>
  secureServer(t, { ca, requestCert: true, rejectUnauthorized: true, ...options });

for (const [title, credentials] of [
  ['cert and key', clientPair],
  ['pfx and passphrase', clientPfx]
]) {
  eachWay(`a client certificate: ${title}`, SECURE, async (t, options) => {
    const server = await demanding(t);
    const client = await connect(t, server.url, options({ ca, ...credentials }));
    const peer = await server.next();
    assert.strictEqual(peer.socket.authorized, true);
    assert.strictEqual(peer.socket.getPeerCertificate().subject.CN, 'client');
    await converse(client, peer);
  });
}

eachWay('no client certificate where one is demanded', SECURE, async (t, options) => {
  for (const [maxVersion, codes] of [
    ['TLSv1.3', ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'ECONNRESET', 'EPIPE']],
    ['TLSv1.2', ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', 'ECONNRESET', 'EPROTO', 'EPIPE']]
  ]) {
    const server = await demanding(t, { maxVersion });
    const err = await failure(dial(t, server.url, options({ ca })));
    assert.ok(codes.includes(err.code), err.code);
    assert.strictEqual(server.requests.length, 0);
  }
});

eachWay('a wrong passphrase', SECURE, async (t, options) => {
  const server = await secureServer(t);
  const settings = options({ ca, ...clientPfx, passphrase: 'wrong' });
  let err;
  try {
    const client = dial(t, server.url, settings);
    err = await failure(client);
  } catch (thrown) {
    err = thrown;
  }
  assert.match(err.message, /mac verify failure/i);
});

eachWay('versions and ciphers', SECURE, async (t, options) => {
  const server = await secureServer(t);
  const ciphers = 'ECDHE-ECDSA-AES128-GCM-SHA256';
  const settings = options({ ca, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers });
  const client = await connect(t, server.url, settings);
  assert.strictEqual(client._socket.getProtocol(), 'TLSv1.2');
  assert.strictEqual(client._socket.getCipher().name, ciphers);
});

eachWay('a server without TLS', SECURE, async (t, options) => {
  const server = await upgradeServer(t);
  const err = await failure(dial(t, server.url.replace('ws:', 'wss:'), options({ ca })));
  assert.match(err.code, /^(EPROTO|ERR_SSL_\w+)$/);
});

eachWay('a server that ends during the handshake', SECURE, async (t, options) => {
  const server = await listen(
    t,
    net.createServer((socket) => socket.once('data', () => socket.destroy()))
  );
  const err = await failure(dial(t, `wss://${HOST}:${server.address().port}`, options({ ca })));
  assert.strictEqual(err.code, 'ECONNRESET');
});

eachWay('a refusal', SECURE, async (t, options) => {
  const server = await secureServer(t, null, { answer: refuse(403) });
  const err = await failure(dial(t, server.url, options({ ca })));
  assert.strictEqual(err.message, 'Unexpected server response: 403');
});

eachWay('the closing handshake and terminate()', SECURE, async (t, options) => {
  const server = await secureServer(t);
  for (const [act, code] of [
    [(client) => client.close(3000, 'why'), 3000],
    [(client) => client.terminate(), 1006]
  ]) {
    const client = await connect(t, server.url, options({ ca }));
    const peer = await server.next();
    const log = record(client, ['close', 'error']);
    act(client);
    if (code === 3000) {
      assert.strictEqual(await peer.closeFrame(), 3000);
      peer.send(OP.CLOSE, closePayload(3000, 'why'));
    }
    await peer.end();
    await until(() => log.length > 0);
    assert.deepStrictEqual(log, [['close', code, Buffer.from(code === 3000 ? 'why' : '')]]);
    assert.strictEqual(client.readyState, WebSocket.CLOSED);
  }
});

test('options of an https.Agent hold for its clients', async (t) => {
  const server = await demanding(t);
  const agent = new https.Agent({ ca, ...clientPair });
  const client = await connect(t, server.url, { agent, perMessageDeflate: false });
  const peer = await server.next();
  assert.strictEqual(peer.socket.getPeerCertificate().subject.CN, 'client');
  await converse(client, peer);
});

test('an https.Agent with keepAlive: two clients, and its sessions', async (t) => {
  const server = await secureServer(t, { maxVersion: 'TLSv1.2' });
  const agent = new https.Agent({ ca, keepAlive: true });
  const options = { agent, perMessageDeflate: false };
  const first = await connect(t, server.url, options);
  const second = await connect(t, server.url, options);
  assert.strictEqual(first._socket.isSessionReused(), false);
  assert.strictEqual(second._socket.isSessionReused(), true);
  agent.destroy();
  await converse(first, await server.next());
  await converse(second, await server.next());
});

test('an https.Agent: an idle socket carries the upgrade', async (t) => {
  const server = await secureServer(t);
  server.on('request', (req, res) => res.end('plain'));
  const agent = new https.Agent({ ca, keepAlive: true });
  t.after(() => agent.destroy());
  const url = server.url.replace('wss', 'https');
  const res = await new Promise((resolve) => https.get(url, { agent }, resolve));
  const { localPort } = res.socket;
  res.resume();
  await until(() => Object.keys(agent.freeSockets).length === 1, 'the socket to be free');
  const client = await connect(t, server.url, { agent, perMessageDeflate: false });
  const peer = await server.next();
  assert.strictEqual(peer.socket.remotePort, localPort);
  await converse(client, peer);
});

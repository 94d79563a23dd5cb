'use strict';

// Certificates of clients: requestCert, rejectUnauthorized, ca. What a server knows of each client
// is what Node's own server with the same options knows.

const assert = require('node:assert');
const https = require('node:https');
const { describe } = require('node:test');
const { echo, hawserTest, once, until } = require('../support/helpers');
const { OP } = require('../support/raw-peer');
const { listen } = require('../node-client/support/servers');
const { certificate, pair, root, server } = require('../support/certificates');
const { connectTls, nodeClient, nodeWebSocket, serveTls } = require('./support/servers');

const VERSIONS = ['TLSv1.2', 'TLSv1.3'];

/** Each client that there is: what it is, and its certificate and chain. */
const CLIENTS = [
  ['none'],
  ['a good one', 'client'],
  ['a good one with its chain', 'client-of-intermediate', 'intermediate'],
  ['one without its chain', 'client-of-intermediate'],
  ['one signed by itself', 'client-self-signed'],
  ['one of another root', 'client-unknown'],
  ['one of another root, which is sent', 'client-unknown', 'other-root'],
  ['an expired one', 'client-expired'],
  ['one that is not yet valid', 'client-future'],
  ["a server's", 'client-wrong-usage'],
  ['one for any use', 'no-usage'],
  ['one signed by no authority', 'of-not-ca', 'not-ca']
];

const credentialsOf = (names) => (names.length > 0 ? pair(...names) : {});

/** What a server's socket says about its client. */
function known(socket) {
  return {
    authorized: socket.authorized,
    authorizationError: socket.authorizationError,
    certificate: socket.getPeerCertificate(),
    x509: socket.getPeerX509Certificate()?.fingerprint256
  };
}

/** The same of Node's server, or the code of its 'tlsClientError'. */
async function knownToNode(t, serverOptions, clientOptions) {
  const reference = https.createServer({ ...server, ...serverOptions });
  await listen(t, reference);
  const outcome = new Promise((resolve) => {
    reference.on('secureConnection', (socket) => resolve(known(socket)));
    reference.on('tlsClientError', ({ code }) => resolve({ code }));
  });
  nodeClient(t, reference.address().port, clientOptions).catch(() => {});
  return outcome;
}

for (const version of VERSIONS) {
  const asked = { ca: root, requestCert: true, minVersion: version, maxVersion: version };

  describe(`rejectUnauthorized: false, ${version}`, () => {
    for (const [name, ...names] of CLIENTS) {
      hawserTest(name, async (t) => {
        const options = { ...asked, rejectUnauthorized: false };
        const expected = await knownToNode(t, options, credentialsOf(names));
        const wss = await serveTls(t, options);
        const connection = once(wss, 'connection');
        await nodeWebSocket(t, wss.testPort, credentialsOf(names));
        const [ws, req] = await connection;
        assert.deepStrictEqual(known(ws._socket), expected);
        assert.deepStrictEqual(known(req.socket), expected);
      });
    }
  });

  describe(`rejectUnauthorized, ${version}`, () => {
    for (const [name, ...names] of CLIENTS) {
      hawserTest(name, async (t) => {
        const expected = await knownToNode(t, asked, credentialsOf(names));
        const wss = await serveTls(t, asked);
        if (!expected.code) {
          const connection = once(wss, 'connection');
          await nodeWebSocket(t, wss.testPort, credentialsOf(names));
          const [ws] = await connection;
          assert.deepStrictEqual(known(ws._socket), expected);
          assert.strictEqual(ws._socket.authorized, true);
          return;
        }
        wss.on('connection', () => assert.fail('not expected'));
        // in TLS 1.3 the client is done with its handshake before it is judged
        await assert.rejects(nodeWebSocket(t, wss.testPort, credentialsOf(names)));
        await until(() => wss.tlsErrors.length === 1);
        // Node's server just closes, which is ECONNRESET; here the error says why
        const { authorizationError } = await knownToNode(
          t,
          { ...asked, rejectUnauthorized: false },
          credentialsOf(names)
        );
        const reason = names.length > 0 ? authorizationError : expected.code;
        assert.strictEqual(wss.tlsErrors[0].code, reason);
      });
    }

    hawserTest('no certificate: the client reads why', async (t) => {
      const wss = await serveTls(t, asked);
      const codes = [];
      const attempt = nodeClient(t, wss.testPort);
      const peer = await attempt.catch((err) => void codes.push(err.code));
      peer?.socket.on('error', (err) => codes.push(err.code));
      await until(() => codes.length === 1);
      assert.deepStrictEqual(codes, ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED']);
    });
  });

  describe(`a client that comes back, ${version}`, () => {
    hawserTest('is known as before', async (t) => {
      const wss = await serveTls(t, asked);
      const credentials = pair('client');
      const connections = [];
      wss.on('connection', (ws) => connections.push(ws));
      const first = await nodeWebSocket(t, wss.testPort, credentials);
      await until(() => first.session, 'a session');
      const again = { ...credentials, session: first.session };
      const second = await nodeWebSocket(t, wss.testPort, again);
      assert.strictEqual(second.socket.isSessionReused(), true);
      await until(() => connections.length === 2);
      assert.strictEqual(connections[1]._socket.isSessionReused(), true);
      for (const { _socket: socket } of connections) {
        assert.strictEqual(socket.authorized, true);
        assert.strictEqual(socket.authorizationError, null);
        assert.strictEqual(socket.getPeerCertificate().subject.CN, 'client');
      }
    });

    hawserTest('and was not authorized is not so now', async (t) => {
      const wss = await serveTls(t, { ...asked, rejectUnauthorized: false });
      const credentials = pair('client-self-signed');
      const connections = [];
      wss.on('connection', (ws) => connections.push(ws));
      const first = await nodeWebSocket(t, wss.testPort, credentials);
      await until(() => first.session, 'a session');
      await nodeWebSocket(t, wss.testPort, { ...credentials, session: first.session });
      await until(() => connections.length === 2);
      for (const { _socket: socket } of connections) {
        assert.strictEqual(socket.authorized, false);
        assert.strictEqual(socket.authorizationError, 'DEPTH_ZERO_SELF_SIGNED_CERT');
        assert.strictEqual(socket.getPeerCertificate().subject.CN, 'client-self-signed');
      }
    });
  });
}

describe('what a client is asked for', () => {
  hawserTest('nothing by default: its certificate is not sent', async (t) => {
    const wss = await serveTls(t, { ca: root });
    const connection = once(wss, 'connection');
    await nodeWebSocket(t, wss.testPort, pair('client'));
    const { _socket: socket } = (await connection)[0];
    assert.deepStrictEqual(known(socket), {
      authorized: false,
      authorizationError: null,
      certificate: {},
      x509: undefined
    });
  });

  hawserTest('without ca, one that Node would know', async (t) => {
    const options = { requestCert: true, rejectUnauthorized: false };
    const expected = await knownToNode(t, options, pair('client'));
    assert.strictEqual(expected.authorized, false);
    const wss = await serveTls(t, options);
    const connection = once(wss, 'connection');
    await nodeWebSocket(t, wss.testPort, pair('client'));
    // the reference has found the chain of it, since the root is one of those that it sends
    const { authorized, certificate } = known((await connection)[0]._socket);
    assert.deepStrictEqual(
      { authorized, certificate },
      { authorized: false, certificate: expected.certificate }
    );
  });

  hawserTest('several ca: an array, and several in one', async (t) => {
    const other = certificate('other-root');
    for (const ca of [[root, other], Buffer.concat([root, other]), [String(root), other]]) {
      const wss = await serveTls(t, { ca, requestCert: true });
      for (const name of ['client', 'client-unknown']) {
        const connection = once(wss, 'connection');
        await nodeWebSocket(t, wss.testPort, pair(name));
        const [ws] = await connection;
        assert.strictEqual(ws._socket.getPeerCertificate().subject.CN, name);
      }
    }
  });

  hawserTest('a client certificate signed by itself, which is trusted', async (t) => {
    const ca = certificate('client-self-signed');
    const wss = await serveTls(t, { ca, requestCert: true });
    const connection = once(wss, 'connection');
    await nodeWebSocket(t, wss.testPort, pair('client-self-signed'));
    assert.strictEqual((await connection)[0]._socket.authorized, true);
  });

  hawserTest('setSecureContext() changes who is trusted', async (t) => {
    const wss = await serveTls(t, { ca: root, requestCert: true });
    wss.setSecureContext({ ...server, ca: certificate('other-root') });
    await assert.rejects(nodeWebSocket(t, wss.testPort, pair('client')));
    const connection = once(wss, 'connection');
    await nodeWebSocket(t, wss.testPort, pair('client-unknown'));
    assert.strictEqual((await connection)[0]._socket.authorized, true);
  });
});

describe('getPeerCertificate(true)', () => {
  hawserTest('has the chain, up to the root out of ca', async (t) => {
    const wss = await serveTls(t, { ca: root, requestCert: true });
    const connection = once(wss, 'connection');
    await nodeWebSocket(t, wss.testPort, pair('client-of-intermediate', 'intermediate'));
    const [ws] = await connection;
    const names = [];
    let at = ws._socket.getPeerCertificate(true);
    while (at.issuerCertificate !== at) {
      names.push(at.subject.CN);
      at = at.issuerCertificate;
    }
    names.push(at.subject.CN);
    assert.deepStrictEqual(names, [
      'client-of-intermediate',
      'hawser test intermediate',
      'hawser test root'
    ]);
  });

  hawserTest('can be asked for when the client is gone', async (t) => {
    const wss = await serveTls(t, { ca: root, requestCert: true });
    const connection = once(wss, 'connection');
    const raw = await nodeWebSocket(t, wss.testPort, pair('client'));
    const [ws] = await connection;
    const { _socket: socket } = ws;
    const closed = once(ws, 'close');
    raw.destroy();
    await closed;
    // Node has nothing to say then; what counts is that it can be asked
    assert.doesNotThrow(() => socket.getPeerCertificate());
    assert.doesNotThrow(() => socket.getProtocol());
  });
});

describe('verifyClient', () => {
  hawserTest('may judge by the certificate', async (t) => {
    const wss = await serveTls(t, {
      ca: root,
      requestCert: true,
      rejectUnauthorized: false,
      verifyClient: ({ req }) => req.socket.getPeerCertificate().subject?.CN === 'client'
    });
    wss.on('connection', echo);
    const raw = await nodeWebSocket(t, wss.testPort, pair('client'));
    raw.send(OP.TEXT, 'it is me');
    assert.strictEqual(String((await raw.frame()).payload), 'it is me');
    const other = await nodeWebSocket(t, wss.testPort, pair('client-two'));
    assert.match(other.response, /^HTTP\/1\.1 401 /);
    const none = await nodeWebSocket(t, wss.testPort);
    assert.match(none.response, /^HTTP\/1\.1 401 /);
  });

  hawserTest('a client of our own with a certificate', async (t) => {
    const wss = await serveTls(t, { ca: root, requestCert: true });
    const connection = once(wss, 'connection');
    await connectTls(t, wss.testUrl, pair('client'));
    const [ws] = await connection;
    assert.strictEqual(ws._socket.getPeerCertificate().subject.CN, 'client');
  });
});

'use strict';

// What may be a root, and what only looks like one: certificates made for the purpose, whose holder
// signs others with their keys.

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const https = require('node:https');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe } = require('node:test');
const WebSocket = require('../support/impl');
const { HOST, hawserTest, once, test } = require('../support/helpers');
const { certificate, pair, root, server } = require('../support/certificates');
const { upgradeServer } = require('../node-client/support/servers');
const { ofNode, ofWebSocket } = require('./support/outcome');
const { nodeWebSocket, serveTls } = require('./support/servers');

let dir;

before(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'hawser-roots-'));
});

after(() => fs.rmSync(dir, { recursive: true }));

const file = (name) => path.join(dir, name);
const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe' });

/** A certificate with these extensions, signed by itself or by `issuer`. */
function make(name, subject, extensions, issuer) {
  const [key, csr, crt, ext] = ['key', 'csr', 'crt', 'ext'].map((kind) => file(`${name}.${kind}`));
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-new', ...ec, '-subj', subject, '-keyout', key, '-out', csr);
  // a section of its own, as without any the version would be 1
  fs.writeFileSync(ext, ['subjectKeyIdentifier=hash', ...extensions].join('\n'));
  const signer = issuer
    ? ['-CA', file(`${issuer}.crt`), '-CAkey', file(`${issuer}.key`), '-CAcreateserial']
    : ['-signkey', key];
  openssl('x509', '-req', '-in', csr, '-days', '30', '-extfile', ext, ...signer, '-out', crt);
  return { cert: fs.readFileSync(crt), key: fs.readFileSync(key) };
}

const LEAF = ['basicConstraints=critical,CA:FALSE', `subjectAltName=IP:${HOST},DNS:localhost`];
const AUTHORITY = ['basicConstraints=critical,CA:TRUE'];

/** A server's certificate that `issuer` has signed, seen by a client that trusts `ca`. */
async function same(t, credentials, ca) {
  const { port } = await upgradeServer(t, { tls: credentials });
  const expected = await ofNode(HOST, port, { ca });
  assert.deepStrictEqual(await ofWebSocket(HOST, port, { ca }), expected);
  return expected;
}

describe('a trusted certificate signs another', () => {
  for (const [name, extensions, opens] of [
    ['that is an authority', AUTHORITY, true],
    ['that is none', ['basicConstraints=critical,CA:FALSE'], false],
    ['that says nothing about it', ['subjectAltName=DNS:a.example'], false],
    ['that says nothing, but has a key for it', ['keyUsage=critical,keyCertSign'], true],
    ['whose key is not for it', [...AUTHORITY, 'keyUsage=critical,digitalSignature'], false]
  ]) {
    for (const subject of ['/CN=localhost', '/CN=pinned']) {
      test(`${name}: ${subject}`, async (t) => {
        const issuer = make('pinned', '/CN=pinned', extensions);
        const leaf = make('leaf', subject, LEAF, 'pinned');
        const { code } = await same(t, leaf, issuer.cert);
        assert.strictEqual(code === undefined, opens, code);
      });
    }
  }

  hawserTest('as the certificate of a client', async (t) => {
    const issuer = make('pinned', '/CN=client', ['basicConstraints=critical,CA:FALSE']);
    const forged = make('forged', '/CN=another', LEAF, 'pinned');
    const wss = await serveTls(t, { ca: issuer.cert, requestCert: true });
    wss.on('connection', () => assert.fail('not expected'));
    await assert.rejects(nodeWebSocket(t, wss.testPort, forged));
  });
});

test('an authority as a certificate of its own, for another use', async (t) => {
  const own = make('own', '/CN=localhost', [...AUTHORITY, ...LEAF.slice(1)]);
  assert.strictEqual((await same(t, own, own.cert)).code, undefined);
  const usage = ['extendedKeyUsage=clientAuth'];
  const client = make('own', '/CN=localhost', [...AUTHORITY, ...LEAF.slice(1), ...usage]);
  assert.strictEqual((await same(t, client, client.cert)).code, 'INVALID_PURPOSE');
});

hawserTest('the issuer is who has signed, whatever the client sends', async (t) => {
  const wss = await serveTls(t, { ca: [root, certificate('other-root')], requestCert: true });
  const connection = once(wss, 'connection');
  await nodeWebSocket(t, wss.testPort, pair('client', 'other-root'));
  const [ws] = await connection;
  const { issuer, issuerCertificate } = ws._socket.getPeerCertificate(true);
  assert.deepStrictEqual(issuerCertificate.subject, issuer);
  assert.strictEqual(issuerCertificate.issuerCertificate, issuerCertificate);
});

describe('options of which Node knows nothing', () => {
  const options = {
    followRedirects: true,
    signal: new AbortController().signal,
    finishRequest: (req) => req.end(),
    agent: new https.Agent(),
    ciphers: 'TLS_AES_128_GCM_SHA256',
    checkServerIdentity: () => undefined
  };
  for (const [name, value] of Object.entries(options)) {
    hawserTest(`are not dropped for the sake of ${name}`, () => {
      for (const own of [{ roots: 'bundled' }, { connector: new WebSocket.TlsConnector() }]) {
        for (const url of ['wss://localhost', 'ws://localhost']) {
          if (url === 'ws://localhost' && /ciphers|check/.test(name)) continue;
          assert.throws(() => new WebSocket(url, { [name]: value, ...own }), /roots|connector/);
        }
      }
    });
  }
});

describe('setSecureContext() leaves what is not given', () => {
  for (const changes of [
    { ...server },
    { ...server, requestCert: undefined, rejectUnauthorized: undefined, ca: undefined }
  ]) {
    hawserTest(`given: ${Object.keys(changes)}`, async (t) => {
      const wss = await serveTls(t, { ca: root, requestCert: true, minVersion: 'TLSv1.3' });
      wss.setSecureContext(changes);
      await assert.rejects(nodeWebSocket(t, wss.testPort));
      await assert.rejects(nodeWebSocket(t, wss.testPort, pair('client-unknown')));
      const old = { ...pair('client'), maxVersion: 'TLSv1.2' };
      await assert.rejects(nodeWebSocket(t, wss.testPort, old));
      const connection = once(wss, 'connection');
      await nodeWebSocket(t, wss.testPort, pair('client'));
      assert.strictEqual((await connection)[0]._socket.authorized, true);
    });
  }
});

hawserTest('requestCert without a certificate to show throws', () => {
  const options = { port: 0, requestCert: true, cert: undefined, key: undefined };
  assert.throws(() => new WebSocket.WebSocketServer(options), /"cert"/);
});

describe('an SNICallback that fails', () => {
  for (const [name, SNICallback] of [
    ['throws', () => assert.fail('on purpose')],
    ['rejects', async () => assert.fail('on purpose')]
  ]) {
    hawserTest(`${name}: 'tlsClientError', and the end`, async (t) => {
      const wss = await serveTls(t, { SNICallback });
      const options = { servername: 'name.test', checkServerIdentity: () => undefined };
      await assert.rejects(nodeWebSocket(t, wss.testPort, options), { code: 'ECONNRESET' });
      assert.strictEqual(wss.tlsErrors.length, 1);
      assert.match(wss.tlsErrors[0].message, /on purpose/);
    });
  }
});

'use strict';

// What a `wss:` client proves itself with: cert, key, passphrase; Node's own client with the same
// options meets the same server.

const assert = require('node:assert');
const { describe } = require('node:test');
const { HOST, test } = require('../support/helpers');
const { connect, converse } = require('../node-client/support/clients');
const { upgradeServer } = require('../node-client/support/servers');
const { PASSPHRASE, certificate, key, pair, read, root } = require('../support/certificates');
const { CLIENTS } = require('./support/bad-servers');
const { ofNode, ofWebSocket, usualCode } = require('./support/outcome');

/**
 * In TLS 1.3 the client has sent its request when the server refuses its certificate: whether it
 * still reads why depends on who is faster.
 */
const REFUSED = [
  'ECONNRESET',
  'EPIPE',
  'EPROTO',
  'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE',
  'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'
];

describe('a server that demands a certificate', () => {
  for (const [name, what, options] of CLIENTS) {
    test(name, async (t) => {
      const server = await upgradeServer(t, { tls: what });
      const expected = await ofNode(HOST, server.port, options);
      const actual = await ofWebSocket(HOST, server.port, options);
      if (expected.code === undefined) {
        assert.deepStrictEqual(actual, expected);
        return;
      }
      const isEarly = what.maxVersion === 'TLSv1.2';
      const codes = isEarly ? [usualCode(expected.code)] : REFUSED;
      assert.ok(
        codes.includes(usualCode(actual.code)),
        `${actual.code}, and Node ${expected.code}`
      );
      assert.strictEqual(server.requests.length, 0);
    });
  }
});

describe('the shapes of keys and certificates', () => {
  const cert = certificate('client');
  const rsa = { cert: certificate('rsa'), key: key('rsa') };
  const chain = certificate('client-of-intermediate', 'intermediate');
  for (const [name, credentials, subject = 'client'] of [
    ['strings', { cert: String(cert), key: String(key()) }],
    ['Buffers', { cert, key: key() }],
    ['Uint8Arrays', { cert: new Uint8Array(cert), key: new Uint8Array(key()) }],
    ['arrays of one', { cert: [cert], key: [key()] }],
    [
      'a key with its passphrase',
      { cert, key: key('leaf-pkcs8-encrypted'), passphrase: PASSPHRASE }
    ],
    [
      '{ pem, passphrase }',
      { cert, key: [{ pem: key('leaf-pkcs8-encrypted'), passphrase: PASSPHRASE }] }
    ],
    [
      '{ pem } and a passphrase for all',
      { cert, key: [{ pem: key('leaf-sec1-encrypted') }], passphrase: PASSPHRASE }
    ],
    ['a passphrase that is not needed', { cert, key: key(), passphrase: 'whatever' }],
    ['EC PRIVATE KEY', { cert, key: key('leaf-sec1') }],
    [
      'EC PRIVATE KEY, encrypted',
      { cert, key: key('leaf-sec1-encrypted'), passphrase: PASSPHRASE }
    ],
    ['text around the PEM', { cert: `A certificate:\n${cert}\n`, key: `A key:\n${key()}` }],
    ['CRLF', { cert: String(cert).replaceAll('\n', '\r\n'), key: key() }],
    ['a chain', { cert: chain, key: key() }, 'client-of-intermediate'],
    ['PKCS #12', { pfx: read('client.pfx'), passphrase: PASSPHRASE }]
  ]) {
    test(name, async (t) => {
      const server = await demanding(t);
      const options = { ca: root, perMessageDeflate: false, ...credentials };
      const client = await connect(t, server.url, options);
      const peer = await server.next();
      assert.strictEqual(peer.socket.authorized, true);
      assert.strictEqual(peer.socket.getPeerCertificate().subject.CN, subject);
      await converse(client, peer);
    });
  }

  for (const [name, pem] of [
    ['RSA, PKCS #8', key('rsa')],
    ['RSA, PKCS #1', key('rsa-pkcs1')],
    ['RSA, PKCS #1, encrypted', key('rsa-pkcs1-encrypted')]
  ]) {
    test(name, async (t) => {
      const server = await demanding(t, { rejectUnauthorized: false });
      const options = { ca: root, cert: rsa.cert, key: pem, passphrase: PASSPHRASE };
      await connect(t, server.url, { ...options, perMessageDeflate: false });
      const peer = await server.next();
      assert.strictEqual(peer.socket.getPeerCertificate().subject.CN, 'rsa');
    });
  }
});

/** A server that has a look at certificates of `root`. */
const demanding = (t, options) =>
  upgradeServer(t, {
    tls: { ...pair('direct'), ca: root, requestCert: true, rejectUnauthorized: true, ...options }
  });

// Node's request() throws these; ws has them come as an 'error', for it makes the connection itself.
describe('bad credentials', () => {
  const good = pair('client');
  const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  const encrypted = { ...good, key: key('leaf-pkcs8-encrypted') };
  for (const [name, credentials] of [
    ['cert is garbage', { ...good, cert: 'garbage' }],
    ['cert does not parse', { ...good, cert: broken }],
    ['cert is a number', { ...good, cert: 5 }],
    ['cert is a private key', { ...good, cert: good.key }],
    ['the second of a chain does not parse', { ...good, cert: good.cert + broken }],
    ['key is garbage', { ...good, key: 'garbage' }],
    ['key is a certificate', { ...good, key: good.cert }],
    ['key is a number', { ...good, key: 5 }],
    ['the key of another certificate', { ...good, key: key('mismatched') }],
    ['no passphrase', encrypted],
    ['a wrong passphrase', { ...encrypted, passphrase: 'wrong' }],
    ['passphrase is a number', { ...encrypted, passphrase: 5 }],
    ['ca is a number', { ca: 5 }],
    ['minVersion is nonsense', { minVersion: 'TLSv9' }],
    ['maxVersion is nonsense', { maxVersion: 'TLSv9' }]
  ]) {
    test(name, async (t) => {
      const server = await demanding(t);
      const expected = await ofNode(HOST, server.port, { ca: root, ...credentials });
      const actual = await ofWebSocket(HOST, server.port, { ca: root, ...credentials });
      assert.deepStrictEqual(actual, expected.thrown);
    });
  }

  // what Node takes without a word
  for (const [name, options] of [
    ['cert without key', { cert: good.cert }],
    ['key without cert', { key: good.key }],
    ["cert is ''", { ...good, cert: '' }],
    ['ca is garbage', { ca: 'garbage' }],
    ['ca does not parse', { ca: broken }],
    ['one of the ca does not parse', { ca: [broken, root] }],
    ['minVersion above maxVersion', { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' }]
  ]) {
    test(name, async (t) => {
      const server = await upgradeServer(t, { tls: pair('direct') });
      const expected = await ofNode(HOST, server.port, { ca: root, ...options });
      const actual = await ofWebSocket(HOST, server.port, { ca: root, ...options });
      assert.deepStrictEqual(actual, expected);
    });
  }
});

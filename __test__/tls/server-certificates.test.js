'use strict';

// Which certificate a server shows: by name, by the answer of SNICallback, and after it has got
// others; and what it makes of certificates and keys that are no good.

const assert = require('node:assert');
const tls = require('node:tls');
const { describe } = require('node:test');
const { WebSocketServer, createSecureContext } = require('../support/impl');
const { HOST, delay, echo, hawserTest, messages, once, until } = require('../support/helpers');
const { PASSPHRASE, certificate, key, pair, root, server } = require('../support/certificates');
const { connectTls, nodeClient, nodeWebSocket, serveTls } = require('./support/servers');

/** Subject of the certificate that is shown to who asks for `servername`; '' asks for none. */
async function shown(t, wss, servername = '', options = {}) {
  const checkServerIdentity = () => undefined;
  const client = await nodeClient(t, wss.testPort, { servername, checkServerIdentity, ...options });
  const { CN } = client.socket.getPeerCertificate().subject;
  client.destroy();
  return CN;
}

describe('secureContexts', () => {
  const secureContexts = {
    'a.test': pair('direct'),
    'b.test': pair('rsa'),
    '*.wild.test': pair('wildcard'),
    'exact.wild.test': pair('second')
  };
  for (const [servername, expected] of [
    ['a.test', 'direct'],
    ['A.TEST', 'direct'],
    ['b.test', 'rsa'],
    ['x.wild.test', 'wildcard'],
    ['exact.wild.test', 'second'],
    ['wild.test', 'server'],
    ['x.y.wild.test', 'server'],
    ['unknown.test', 'server'],
    ['', 'server']
  ]) {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
      hawserTest(`${servername || 'no name'} gets ${expected}, ${maxVersion}`, async (t) => {
        const wss = await serveTls(t, { secureContexts });
        assert.strictEqual(await shown(t, wss, servername, { maxVersion }), expected);
      });
    }
  }

  hawserTest('what createSecureContext() made', async (t) => {
    const wss = await serveTls(t, {
      secureContexts: { 'a.test': createSecureContext(pair('direct')) }
    });
    assert.strictEqual(await shown(t, wss, 'a.test'), 'direct');
    assert.strictEqual(await shown(t, wss, 'b.test'), 'server');
  });

  hawserTest('a WebSocket by each of the names', async (t) => {
    const wss = await serveTls(t, { secureContexts: { 'name.test': pair('direct') } });
    wss.on('connection', (ws, req) => ws.send(String(req.socket.servername)));
    for (const [servername, subject] of [
      ['name.test', 'direct'],
      ['localhost', 'server']
    ]) {
      const connection = once(wss, 'connection');
      const client = connectTls(t, wss.testUrl, { servername });
      const [ws] = await connection;
      assert.strictEqual(ws._socket.getCertificate().subject.CN, subject);
      const { _socket: socket } = await client;
      assert.strictEqual(socket.getPeerCertificate().subject.CN, subject);
    }
  });
});

describe('SNICallback', () => {
  hawserTest('is asked for each name, and its context is shown', async (t) => {
    const names = [];
    const wss = await serveTls(t, {
      SNICallback: (name, callback) => {
        names.push(name);
        callback(null, name === 'a.test' ? pair('direct') : createSecureContext(pair('rsa')));
      }
    });
    assert.strictEqual(await shown(t, wss, 'a.test'), 'direct');
    assert.strictEqual(await shown(t, wss, 'b.test'), 'rsa');
    assert.deepStrictEqual(names, ['a.test', 'b.test']);
  });

  hawserTest('is not asked when there is no name', async (t) => {
    const wss = await serveTls(t, { SNICallback: () => assert.fail('not expected') });
    assert.strictEqual(await shown(t, wss), 'server');
  });

  for (const [name, answer] of [
    ['null', [null, null]],
    ['undefined', [null, undefined]],
    ['nothing', []]
  ]) {
    hawserTest(`${name} is the default context`, async (t) => {
      const wss = await serveTls(t, { SNICallback: (name, callback) => callback(...answer) });
      assert.strictEqual(await shown(t, wss, 'a.test'), 'server');
    });
  }

  hawserTest('may answer later; others are served meanwhile', async (t) => {
    const waiting = [];
    const wss = await serveTls(t, {
      SNICallback: (name, callback) => {
        if (name === 'slow.test') waiting.push(callback);
        else callback(null, pair('rsa'));
      }
    });
    const slow = shown(t, wss, 'slow.test');
    await until(() => waiting.length === 1);
    assert.strictEqual(await shown(t, wss, 'fast.test'), 'rsa');
    waiting[0](null, pair('direct'));
    assert.strictEqual(await slow, 'direct');
  });

  hawserTest('a promise of the application', async (t) => {
    const find = async (name) => {
      await delay(10);
      return name === 'a.test' ? pair('direct') : null;
    };
    const wss = await serveTls(t, {
      SNICallback: (name, callback) => {
        find(name).then((context) => callback(null, context), callback);
      }
    });
    assert.strictEqual(await shown(t, wss, 'a.test'), 'direct');
    assert.strictEqual(await shown(t, wss, 'b.test'), 'server');
  });

  hawserTest('the client goes before the answer', async (t) => {
    const waiting = [];
    const wss = await serveTls(t, { SNICallback: (name, callback) => waiting.push(callback) });
    const gone = tls.connect({ port: wss.testPort, host: HOST, servername: 'gone.test' });
    gone.on('error', () => {});
    await until(() => waiting.length === 1);
    gone.destroy();
    await until(() => wss.tlsErrors.length === 1);
    assert.strictEqual(wss.tlsErrors[0].code, 'ECONNRESET');
    waiting[0](null, pair('direct'));
    waiting[0](null, pair('rsa')); // nor is a second answer heard
    assert.strictEqual(await shown(t, wss), 'server');
  });

  for (const [name, answer, message] of [
    ['an error', (callback) => callback(new Error('no such name')), /no such name/],
    ['no context', (callback) => callback(null, 'garbage'), /./]
  ]) {
    hawserTest(`${name}: that handshake fails, and 'tlsClientError' says why`, async (t) => {
      const wss = await serveTls(t, {
        SNICallback: (name, callback) => {
          if (name === 'bad.test') answer(callback);
          else callback(null, pair('direct'));
        }
      });
      await assert.rejects(nodeClient(t, wss.testPort, { servername: 'bad.test' }));
      await until(() => wss.tlsErrors.length === 1);
      assert.match(wss.tlsErrors[0].message, message);
      assert.strictEqual(await shown(t, wss, 'good.test'), 'direct');
    });
  }
});

describe('setSecureContext()', () => {
  hawserTest('new connections see the new certificate; old ones go on', async (t) => {
    const wss = await serveTls(t, {}, echo);
    const client = await connectTls(t, wss.testUrl);
    assert.strictEqual(await shown(t, wss), 'server');
    wss.setSecureContext(pair('direct'));
    assert.strictEqual(await shown(t, wss), 'direct');
    wss.setSecureContext(pair('rsa'));
    assert.strictEqual(await shown(t, wss), 'rsa');
    const answer = messages(client, 1);
    client.send('still here');
    assert.strictEqual(String((await answer)[0][0]), 'still here');
  });

  hawserTest('a certificate with an encrypted key', async (t) => {
    const wss = await serveTls(t);
    const encrypted = { key: key('leaf-pkcs8-encrypted'), passphrase: PASSPHRASE };
    wss.setSecureContext({ cert: certificate('second'), ...encrypted });
    assert.strictEqual(await shown(t, wss), 'second');
  });

  hawserTest('a bad one throws, and the old one stays', async (t) => {
    const wss = await serveTls(t);
    assert.throws(() => wss.setSecureContext({ cert: 'garbage', key: key() }), /cert/);
    assert.throws(() => wss.setSecureContext({ ...pair('direct'), key: key('mismatched') }), {
      code: 'ERR_OSSL_X509_KEY_VALUES_MISMATCH'
    });
    assert.strictEqual(await shown(t, wss), 'server');
  });

  hawserTest('the names keep their contexts', async (t) => {
    const wss = await serveTls(t, { secureContexts: { 'a.test': pair('direct') } });
    wss.setSecureContext(pair('rsa'));
    assert.strictEqual(await shown(t, wss, 'a.test'), 'direct');
    assert.strictEqual(await shown(t, wss, 'b.test'), 'rsa');
  });

  hawserTest('sessions from before: the client gets in, one way or the other', async (t) => {
    const wss = await serveTls(t);
    const first = await nodeWebSocket(t, wss.testPort);
    await until(() => first.session, 'a session');
    wss.setSecureContext(pair('direct'));
    const second = await nodeWebSocket(t, wss.testPort, { session: first.session });
    assert.match(second.response, /^HTTP\/1\.1 101 /);
    assert.deepStrictEqual(wss.tlsErrors, []);
  });

  hawserTest('in the middle of a handshake', async (t) => {
    let answer;
    const wss = await serveTls(t, {
      SNICallback: (name, callback) => {
        answer = callback;
      }
    });
    const subject = shown(t, wss, 'name.test');
    await until(() => answer);
    wss.setSecureContext(pair('rsa'));
    answer(null, pair('direct'));
    assert.strictEqual(await subject, 'direct');
    assert.strictEqual(await shown(t, wss), 'rsa');
  });
});

describe('the shapes of keys and certificates', () => {
  const cert = certificate('direct');
  const encrypted = { cert, key: key('leaf-pkcs8-encrypted') };
  for (const [name, credentials, subject = 'direct'] of [
    ['strings', { cert: String(cert), key: String(key()) }],
    ['Uint8Arrays', { cert: new Uint8Array(cert), key: new Uint8Array(key()) }],
    ['arrays of one', { cert: [cert], key: [key()] }],
    ['PKCS #8, encrypted', { ...encrypted, passphrase: PASSPHRASE }],
    ['{ pem, passphrase }', { cert, key: [{ pem: encrypted.key, passphrase: PASSPHRASE }] }],
    ['SEC 1', { cert, key: key('leaf-sec1') }],
    ['SEC 1, encrypted', { cert, key: key('leaf-sec1-encrypted'), passphrase: PASSPHRASE }],
    ['PKCS #1', { cert: certificate('rsa'), key: key('rsa-pkcs1') }, 'rsa'],
    [
      'PKCS #1, encrypted',
      { cert: certificate('rsa'), key: key('rsa-pkcs1-encrypted'), passphrase: PASSPHRASE },
      'rsa'
    ],
    [
      'CRLF, and text around it',
      { cert: `x\r\n${String(cert).replaceAll('\n', '\r\n')}y`, key: key() }
    ]
  ]) {
    hawserTest(name, async (t) => {
      assert.strictEqual(await shown(t, await serveTls(t, credentials)), subject);
    });
  }

  hawserTest('two pairs: each client is shown what it can read', async (t) => {
    const wss = await serveTls(t, {
      cert: [certificate('direct'), certificate('rsa')],
      key: [key(), key('rsa')]
    });
    const only = (kind) => ({ maxVersion: 'TLSv1.2', ciphers: `ECDHE-${kind}-AES128-GCM-SHA256` });
    assert.strictEqual(await shown(t, wss, '', only('ECDSA')), 'direct');
    assert.strictEqual(await shown(t, wss, '', only('RSA')), 'rsa');
  });

  hawserTest('the chain is sent with it', async (t) => {
    const wss = await serveTls(t, server);
    const client = await connectTls(t, wss.testUrl, { ca: root });
    assert.strictEqual(client._socket.authorized, true);
  });
});

describe('bad credentials: the constructor throws', () => {
  const good = pair('direct');
  const encrypted = { ...good, key: key('leaf-pkcs8-encrypted') };
  const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  for (const [name, credentials, expected] of [
    ['cert is garbage', { ...good, cert: 'garbage' }, { message: /\bcert\b/ }],
    ['cert does not parse', { ...good, cert: broken }, { message: /\bcert\b/ }],
    ['cert is a number', { ...good, cert: 5 }, { code: 'ERR_INVALID_ARG_TYPE' }],
    ['cert is a private key', { ...good, cert: key() }, { message: /\bcert\b/ }],
    ['the second of a chain', { ...good, cert: good.cert + broken }, { message: /\bcert\b/ }],
    ['key is garbage', { ...good, key: 'garbage' }, { message: /\bkey\b/ }],
    ['key is a certificate', { ...good, key: good.cert }, { message: /\bkey\b/ }],
    ['key is a number', { ...good, key: 5 }, { code: 'ERR_INVALID_ARG_TYPE' }],
    [
      'the key of another certificate',
      { ...good, key: key('mismatched') },
      { code: 'ERR_OSSL_X509_KEY_VALUES_MISMATCH' }
    ],
    ['no passphrase', encrypted, { message: /passphrase/ }],
    ['a wrong passphrase', { ...encrypted, passphrase: 'wrong' }, { message: /passphrase/ }],
    ['SNICallback is no function', { ...good, SNICallback: 5 }, { code: 'ERR_INVALID_ARG_TYPE' }],
    [
      'a bad context',
      { ...good, secureContexts: { 'a.test': { ...good, cert: 'garbage' } } },
      { message: /\bcert\b/ }
    ],
    [
      'minVersion is nonsense',
      { ...good, minVersion: 'x' },
      { code: 'ERR_TLS_INVALID_PROTOCOL_VERSION' }
    ]
  ]) {
    hawserTest(name, async () => {
      const options = { port: 0, host: HOST, ...credentials };
      assert.throws(() => new WebSocketServer(options), expected);
    });
  }
});

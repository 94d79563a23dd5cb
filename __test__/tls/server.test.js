'use strict';

// A server with `cert` and `key`: what it agrees on, and what is known of it and of its clients.

const assert = require('node:assert');
const http = require('node:http');
const net = require('node:net');
const tls = require('node:tls');
const { describe } = require('node:test');
const { WebSocketServer } = require('../support/impl');
const { HOST, echo, hawserTest, messages, once, record, until } = require('../support/helpers');
const { OP, closePayload, upgradeRequest } = require('../support/raw-peer');
const { KEYS } = require('./support/bad-servers');
const { pair, root, server } = require('../support/certificates');
const { connectTls, nodeClient, nodeWebSocket, pairTls, serveTls } = require('./support/servers');
const { usualCode } = require('./support/outcome');
const { tap } = require('./support/tapped');

const VERSIONS = ['TLSv1.2', 'TLSv1.3'];
const only = (version) => ({ minVersion: version, maxVersion: version });

/** What `client` gets back from a server that echoes. */
async function echoOf(client, data) {
  const answer = messages(client, 1);
  client.send(data);
  return (await answer)[0][0];
}

describe('versions', () => {
  for (const version of VERSIONS) {
    hawserTest(`${version}, because of the server or of the client`, async (t) => {
      for (const [serverOptions, clientOptions] of [
        [only(version), {}],
        [{}, only(version)]
      ]) {
        const { client, peer } = await pairTls(t, serverOptions, clientOptions);
        assert.strictEqual(peer._socket.getProtocol(), version);
        assert.strictEqual(client._socket.getProtocol(), version);
        echo(peer);
        assert.strictEqual(String(await echoOf(client, 'hello')), 'hello');
      }
    });
  }

  hawserTest('those of Node by default', async (t) => {
    const { peer } = await pairTls(t);
    assert.strictEqual(peer._socket.getProtocol(), tls.DEFAULT_MAX_VERSION);
    const older = await pairTls(t, {}, only('TLSv1.2'));
    assert.strictEqual(older.peer._socket.getProtocol(), 'TLSv1.2');
  });

  for (const [ours, theirs] of [VERSIONS, [...VERSIONS].reverse()]) {
    hawserTest(`${ours} only, and a client with ${theirs} only`, async (t) => {
      const wss = await serveTls(t, only(ours));
      await assert.rejects(nodeClient(t, wss.testPort, only(theirs)), {
        code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'
      });
      await until(() => wss.tlsErrors.length === 1);
      assert.strictEqual(wss.tlsErrors[0].code, 'ERR_SSL_UNSUPPORTED_PROTOCOL');
    });
  }

  hawserTest('TLS 1.1 is not spoken', async (t) => {
    const wss = await serveTls(t);
    const old = { ...only('TLSv1.1'), ciphers: 'DEFAULT@SECLEVEL=0' };
    await assert.rejects(nodeClient(t, wss.testPort, old), {
      code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'
    });
    await until(() => wss.tlsErrors.length === 1);
    assert.strictEqual(wss.tlsErrors[0].code, 'ERR_SSL_UNSUPPORTED_PROTOCOL');
  });
});

describe('keys', () => {
  for (const [name, credentials] of KEYS.filter(([name]) => name !== 'p521')) {
    for (const version of VERSIONS) {
      hawserTest(`${name}, ${version}`, async (t) => {
        const wss = await serveTls(t, { ...credentials, ...only(version) }, echo);
        const client = await connectTls(t, wss.testUrl);
        assert.strictEqual(client._socket.getPeerCertificate().subject.CN, name);
        assert.strictEqual(String(await echoOf(client, 'hello')), 'hello');
      });
    }
  }
});

describe('ciphers', () => {
  for (const [version, ciphers] of [
    [
      'TLSv1.3',
      ['TLS_AES_256_GCM_SHA384', 'TLS_AES_128_GCM_SHA256', 'TLS_CHACHA20_POLY1305_SHA256']
    ],
    [
      'TLSv1.2',
      [
        'ECDHE-ECDSA-AES128-GCM-SHA256',
        'ECDHE-ECDSA-AES256-GCM-SHA384',
        'ECDHE-ECDSA-CHACHA20-POLY1305'
      ]
    ]
  ]) {
    for (const name of ciphers) {
      hawserTest(`${name}: both ends give it the same names`, async (t) => {
        const wss = await serveTls(t);
        const connection = once(wss, 'connection');
        const raw = await nodeWebSocket(t, wss.testPort, { ciphers: name, ...only(version) });
        const [ws] = await connection;
        assert.strictEqual(raw.socket.getCipher().name, name);
        assert.deepStrictEqual(ws._socket.getCipher(), raw.socket.getCipher());
      });
    }
  }

  hawserTest('none in common', async (t) => {
    const wss = await serveTls(t);
    const weak = { ciphers: 'AES128-SHA', maxVersion: 'TLSv1.2' };
    const refused = await nodeClient(t, wss.testPort, weak).catch((err) => err);
    assert.strictEqual(usualCode(refused.code), 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE');
    await until(() => wss.tlsErrors.length === 1);
    // without a curve there is no cipher either
    assert.match(wss.tlsErrors[0].code, /^ERR_SSL_NO_(SHARED_CIPHER|SUITABLE_KEY_SHARE)$/);
  });
});

describe('ALPN', () => {
  for (const [name, serverOptions, offered, expected] of [
    ['http/1.1 by default', {}, ['http/1.1'], 'http/1.1'],
    ['http/1.1 among others', {}, ['h2', 'http/1.1'], 'http/1.1'],
    ['nothing offered', {}, undefined, false],
    ['a protocol of the application', { ALPNProtocols: ['mine'] }, ['x', 'mine'], 'mine'],
    ["the server's order counts", { ALPNProtocols: ['b', 'a'] }, ['a', 'b'], 'b']
  ]) {
    hawserTest(name, async (t) => {
      const wss = await serveTls(t, serverOptions);
      const connection = once(wss, 'connection');
      const raw = await nodeWebSocket(t, wss.testPort, { ALPNProtocols: offered });
      const [ws, req] = await connection;
      assert.strictEqual(raw.socket.alpnProtocol, expected);
      assert.strictEqual(ws._socket.alpnProtocol, expected);
      assert.strictEqual(req.socket.alpnProtocol, expected);
    });
  }

  for (const version of VERSIONS) {
    hawserTest(`nothing in common, ${version}: the alert, and 'tlsClientError'`, async (t) => {
      const wss = await serveTls(t, only(version));
      await assert.rejects(nodeClient(t, wss.testPort, { ALPNProtocols: ['h2'] }), {
        code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL'
      });
      await until(() => wss.tlsErrors.length === 1);
      assert.strictEqual(wss.tlsErrors[0].code, 'ERR_SSL_NO_APPLICATION_PROTOCOL');
    });
  }
});

describe('what is known of a connection', () => {
  hawserTest('of the server and of a client without a certificate', async (t) => {
    const { peer, req, client } = await pairTls(t);
    for (const socket of [peer._socket, req.socket]) {
      assert.strictEqual(socket.encrypted, true);
      assert.strictEqual(socket.authorized, false);
      assert.strictEqual(socket.authorizationError, null);
      assert.deepStrictEqual(socket.getPeerCertificate(), {});
      assert.strictEqual(socket.getPeerX509Certificate(), undefined);
      assert.strictEqual(socket.servername, false);
      assert.strictEqual(socket.isSessionReused(), false);
      assert.strictEqual(socket.remoteAddress, HOST);
      assert.strictEqual(socket.remotePort, client._socket.localPort);
      assert.strictEqual(socket.localPort, client._socket.remotePort);
    }
  });

  hawserTest("the server's own certificate", async (t) => {
    const { peer, client } = await pairTls(t);
    const own = peer._socket.getCertificate();
    const { issuerCertificate, ...seen } = client._socket.getPeerCertificate(true);
    assert.strictEqual(issuerCertificate.subject.CN, 'hawser test intermediate');
    assert.deepStrictEqual(own.raw, seen.raw);
    assert.strictEqual(own.subject.CN, 'server');
    assert.strictEqual(own.fingerprint256, seen.fingerprint256);
    assert.strictEqual(own.subjectaltname, seen.subjectaltname);
  });

  hawserTest('the name that was asked for', async (t) => {
    const { peer, req } = await pairTls(t, {}, { servername: 'name.test' });
    assert.strictEqual(peer._socket.servername, 'name.test');
    assert.strictEqual(req.socket.servername, 'name.test');
  });

  hawserTest('verifyClient is told that it is secure', async (t) => {
    const infos = [];
    const verifyClient = (info) => infos.push(info) > 0;
    const { req } = await pairTls(t, { verifyClient }, { origin: 'https://example.test' });
    assert.strictEqual(infos[0].secure, true);
    assert.strictEqual(infos[0].origin, 'https://example.test');
    assert.ok(req instanceof http.IncomingMessage);
  });
});

describe('sessions', () => {
  for (const version of VERSIONS) {
    hawserTest(`${version}: a client comes back`, async (t) => {
      const wss = await serveTls(t, only(version), echo);
      const before = once(wss, 'connection');
      const first = await nodeWebSocket(t, wss.testPort);
      await before;
      await until(() => first.session, 'a session');
      const connection = once(wss, 'connection');
      const second = await nodeWebSocket(t, wss.testPort, { session: first.session });
      const [ws] = await connection;
      assert.strictEqual(second.socket.isSessionReused(), true);
      assert.strictEqual(ws._socket.isSessionReused(), true);
      assert.strictEqual(ws._socket.getProtocol(), version);
      second.send(OP.TEXT, 'again');
      assert.strictEqual(String((await second.frame()).payload), 'again');
    });

    hawserTest(`${version}: the session of another server is of no use`, async (t) => {
      const one = await serveTls(t, only(version));
      const other = await serveTls(t, only(version));
      const first = await nodeWebSocket(t, one.testPort);
      await until(() => first.session, 'a session');
      const second = await nodeWebSocket(t, other.testPort, { session: first.session });
      assert.strictEqual(second.socket.isSessionReused(), false);
      assert.deepStrictEqual(other.tlsErrors, []);
    });
  }
});

describe('bytes', () => {
  for (const version of VERSIONS) {
    hawserTest(`16 MiB both ways, ${version}`, { timeout: 60000 }, async (t) => {
      const wss = await serveTls(t, only(version), echo);
      const client = await connectTls(t, wss.testUrl);
      const data = Buffer.alloc(16 << 20, 'abcdefg');
      assert.ok(data.equals(await echoOf(client, data)));
    });

    hawserTest(`20000 messages keep their order, ${version}`, async (t) => {
      const wss = await serveTls(t, only(version), echo);
      const client = await connectTls(t, wss.testUrl);
      const answers = messages(client, 20000);
      for (let i = 0; i < 20000; i++) client.send(String(i));
      (await answers).forEach(([data], i) => assert.strictEqual(Number(data), i));
    });

    hawserTest(`records that come byte by byte, ${version}`, async (t) => {
      const wss = await serveTls(t, only(version), echo);
      const front = await tap(t, wss.testPort, ({ client, server }) => {
        client.unpipe(server);
        server.setNoDelay(true);
        client.on('data', (chunk) => {
          for (const byte of chunk) server.write(Buffer.from([byte]));
        });
        client.resume();
      });
      const client = await connectTls(t, `wss://${HOST}:${front.port}`);
      assert.strictEqual(String(await echoOf(client, 'slow'.repeat(500))), 'slow'.repeat(500));
    });

    hawserTest(`one record for each byte, ${version}`, async (t) => {
      const wss = await serveTls(t, only(version), echo);
      const raw = await nodeClient(t, wss.testPort);
      for (const byte of Buffer.from(upgradeRequest())) raw.write(Buffer.from([byte]));
      await raw.head();
      for (const byte of raw.build(OP.TEXT, 'x'.repeat(200))) raw.write(Buffer.from([byte]));
      assert.strictEqual((await raw.frame()).payload.length, 200);
    });

    hawserTest(`frames in the record of the request, ${version}`, async (t) => {
      const wss = await serveTls(t, only(version), (ws) => {
        ws.log = record(ws, ['message', 'close']);
      });
      const connection = once(wss, 'connection');
      const raw = await nodeClient(t, wss.testPort);
      raw.write(
        Buffer.concat([
          Buffer.from(upgradeRequest()),
          raw.build(OP.TEXT, 'one'),
          raw.build(OP.BINARY, Buffer.alloc(50000)),
          raw.build(OP.CLOSE, closePayload(1001))
        ])
      );
      const [ws] = await connection;
      await until(() => ws.log.length === 3);
      assert.deepStrictEqual(
        ws.log.map(([name, value]) => [name, value.length ?? value]),
        [
          ['message', 3],
          ['message', 50000],
          ['close', 1001]
        ]
      );
    });
  }

  hawserTest('permessage-deflate', async (t) => {
    const wss = await serveTls(t, { perMessageDeflate: { threshold: 0 } }, echo);
    const client = await connectTls(t, wss.testUrl, { perMessageDeflate: true });
    assert.match(client.extensions, /permessage-deflate/);
    const text = 'compress me '.repeat(10000);
    assert.strictEqual(String(await echoOf(client, text)), text);
  });

  hawserTest(
    'a client that does not read holds the server back, and nothing is lost',
    async (t) => {
      const wss = await serveTls(t);
      const connection = once(wss, 'connection');
      const raw = await nodeWebSocket(t, wss.testPort);
      const [ws] = await connection;
      raw.socket.pause();
      const COUNT = 64;
      let sent = 0;
      for (let i = 0; i < COUNT; i++) ws.send(Buffer.alloc(1 << 20, i), () => sent++);
      await until(() => sent > 0, 'the first message to leave');
      assert.ok(ws.bufferedAmount > 8 << 20, String(ws.bufferedAmount));
      raw.socket.resume();
      for (let i = 0; i < COUNT; i++) {
        const { payload } = await raw.frame();
        assert.ok(payload.equals(Buffer.alloc(1 << 20, i)));
      }
      await until(() => sent === COUNT && ws.bufferedAmount === 0);
    }
  );
});

describe('the end', () => {
  for (const version of VERSIONS) {
    hawserTest(`the server closes: its code, then close_notify, ${version}`, async (t) => {
      const wss = await serveTls(t, only(version));
      const connection = once(wss, 'connection');
      const raw = await nodeWebSocket(t, wss.testPort);
      const [ws] = await connection;
      const closed = once(ws, 'close');
      ws.close(3000, 'enough');
      const { opcode, payload } = await raw.frame();
      assert.deepStrictEqual([opcode, payload], [OP.CLOSE, closePayload(3000, 'enough')]);
      raw.send(OP.CLOSE, payload);
      assert.deepStrictEqual(await closed, [3000, Buffer.from('enough')]);
      await raw.end();
    });

    for (const [name, act] of [
      ['ends', (raw) => raw.socket.end()],
      ['ends without close_notify', (raw, tcp) => tcp.end()],
      ['resets', (raw, tcp) => tcp.resetAndDestroy()]
    ]) {
      hawserTest(`the client ${name}: 1006, and no error, ${version}`, async (t) => {
        const wss = await serveTls(t, only(version));
        const connection = once(wss, 'connection');
        const front = await tap(t, wss.testPort);
        const raw = await nodeWebSocket(t, front.port);
        const [ws] = await connection;
        const log = record(ws, ['error', 'close']);
        act(raw, front.connections[0].server);
        await until(() => log.length > 0);
        assert.deepStrictEqual(log, [['close', 1006, Buffer.alloc(0)]]);
        assert.deepStrictEqual(wss.tlsErrors, []);
      });
    }
  }

  hawserTest('terminate()', async (t) => {
    const { client, peer } = await pairTls(t);
    const closes = [once(client, 'close'), once(peer, 'close')];
    peer.terminate();
    for (const [code] of await Promise.all(closes)) assert.strictEqual(code, 1006);
  });

  hawserTest('close() of the server waits for its clients', async (t) => {
    const { wss, client } = await pairTls(t);
    let isClosed = false;
    const closed = new Promise((resolve) => wss.close(() => resolve((isClosed = true))));
    echo([...wss.clients][0]);
    assert.strictEqual(String(await echoOf(client, 'still here')), 'still here');
    assert.strictEqual(isClosed, false);
    client.close();
    await closed;
  });
});

describe('options', () => {
  hawserTest('without a port they are not looked at', () => {
    const bad = { cert: 'garbage', key: 'garbage', ciphers: 'none' };
    new WebSocketServer({ noServer: true, ...bad }).close();
    new WebSocketServer({ server: http.createServer(), ...bad }).close();
  });

  hawserTest('a server without TLS has none of them', async (t) => {
    const wss = new WebSocketServer({ port: 0, host: HOST, ca: root });
    t.after(() => wss.close());
    await once(wss, 'listening');
    const raw = net.connect(wss.address().port, HOST);
    t.after(() => raw.destroy());
    raw.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.match(String((await once(raw, 'data'))[0]), /^HTTP\/1\.1 426 /);
  });

  for (const [name, value] of Object.entries({
    pfx: Buffer.alloc(1),
    ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256',
    crl: 'x',
    dhparam: 'auto',
    ecdhCurve: 'P-256',
    sigalgs: 'ECDSA+SHA256',
    secureOptions: 1,
    secureProtocol: 'TLSv1_2_method',
    ticketKeys: Buffer.alloc(48),
    pskCallback: () => null
  })) {
    hawserTest(`${name} is refused by name`, () => {
      const options = { port: 0, host: HOST, ...server, [name]: value };
      assert.throws(() => new WebSocketServer(options), {
        code: 'ERR_HAWSER_NOT_SUPPORTED',
        message: new RegExp(`\\b${name}\\b`)
      });
    });
  }

  for (const name of ['minVersion', 'maxVersion']) {
    for (const value of ['TLSv1', 'TLSv1.1']) {
      hawserTest(`${name}: '${value}' is refused`, () => {
        const options = { port: 0, host: HOST, ...server, [name]: value };
        assert.throws(() => new WebSocketServer(options), {
          message: new RegExp(value.replace('.', '\\.'))
        });
      });
    }
  }

  hawserTest('a second server with the same credentials', async (t) => {
    const options = Object.freeze({ ...pair('direct') });
    for (let i = 0; i < 2; i++) {
      const wss = await serveTls(t, options, echo);
      const client = await connectTls(t, wss.testUrl);
      assert.strictEqual(String(await echoOf(client, 'hello')), 'hello');
    }
  });
});

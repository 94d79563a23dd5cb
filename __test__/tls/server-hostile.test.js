'use strict';

// What reaches a server with TLS that is no TLS, stops in the middle of it, or breaks it. It is told
// by 'tlsClientError', with the code that Node's server has; the connections of others go on.

const assert = require('node:assert');
const https = require('node:https');
const net = require('node:net');
const tls = require('node:tls');
const { describe } = require('node:test');
const { randomBytes } = require('node:crypto');
const {
  HOST,
  delay,
  echo,
  hawserTest,
  messages,
  once,
  record,
  until
} = require('../support/helpers');
const { OP, RawPeer, upgradeRequest } = require('../support/raw-peer');
const { listen } = require('../node-client/support/servers');
const { server } = require('../support/certificates');
const { connectTls, nodeClient, nodeWebSocket, serveTls } = require('./support/servers');
const { usualCode } = require('./support/outcome');
const { tap } = require('./support/tapped');

const VERSIONS = ['TLSv1.2', 'TLSv1.3'];
const only = (version) => ({ minVersion: version, maxVersion: version });

/** The first bytes of a client of Node. */
const hello = new Promise((resolve) => {
  const catcher = net.createServer((socket) => {
    socket.once('data', (bytes) => {
      socket.destroy();
      catcher.close(() => resolve(bytes));
    });
  });
  catcher.listen(0, HOST, () => {
    const options = { port: catcher.address().port, host: HOST, servername: 'name.test' };
    tls.connect(options).on('error', () => {});
  });
});

/** A TCP connection. */
async function connectTcp(t, port) {
  const socket = net.connect(port, HOST);
  t.after(() => socket.destroy());
  const peer = new RawPeer(socket);
  await once(socket, 'connect');
  return peer;
}

/** A conversation that has to go on, whatever else happens to the server. */
async function bystander(t, wss) {
  wss.on('connection', echo);
  const client = await connectTls(t, wss.testUrl);
  let round = 0;
  return async () => {
    const answer = messages(client, 1);
    client.send(`round ${++round}`);
    assert.strictEqual(String((await answer)[0][0]), `round ${round}`);
  };
}

const record22 = (bytes) => Buffer.from([22, 3, 1, 0, bytes.length, ...bytes]);
const alert = (description) => Buffer.from([21, 3, 3, 0, 2, 2, description]);

/** What a client does: `act(peer, hello)`. */
const ATTACKS = {
  'plain HTTP': (peer) => peer.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'),
  'an upgrade request in plain text': (peer) => peer.write(upgradeRequest()),
  'a plain POST': (peer) => peer.write('POST / HTTP/1.1\r\nHost: a\r\n\r\n'),
  'a request to a proxy': (peer) => peer.write('CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'),
  text: (peer) => peer.write('hello, this is not TLS\r\n'),
  zeros: (peer) => peer.write(Buffer.alloc(100)),
  garbage: (peer) => peer.write(Buffer.alloc(100, 0xa5)),
  'a record of another version': (peer, hello) =>
    peer.write(Buffer.concat([Buffer.from([22, 9, 9]), hello.subarray(3)])),
  'a record of an unknown type': (peer) => peer.write(Buffer.from([99, 3, 1, 0, 2, 1, 2])),
  'application data': (peer) => peer.write(Buffer.from([23, 3, 3, 0, 2, 1, 2])),
  'a ServerHello': (peer) => peer.write(record22([2, 0, 0, 0])),
  'nothing, and the end': (peer) => peer.socket.end(),
  'nothing, and a reset': (peer) => peer.reset(),
  'half a ClientHello, and the end': (peer, hello) => peer.socket.end(hello.subarray(0, 99)),
  'half a ClientHello, and a reset': async (peer, hello) => {
    peer.write(hello.subarray(0, 99));
    await delay(20);
    peer.reset();
  },
  'a ClientHello, and the end': (peer, hello) => peer.socket.end(hello),
  'a ClientHello, and a reset': async (peer, hello) => {
    peer.write(hello);
    await peer.read(() => peer.received || undefined, 'an answer');
    peer.reset();
  },
  'a ClientHello, then alert bad_certificate': async (peer, hello) => {
    peer.write(hello);
    await peer.read(() => peer.received || undefined, 'an answer');
    peer.write(alert(42));
  },
  'a ClientHello, then alert unknown_ca': async (peer, hello) => {
    peer.write(hello);
    await peer.read(() => peer.received || undefined, 'an answer');
    peer.write(alert(48));
  },
  'a ClientHello, then close_notify': async (peer, hello) => {
    peer.write(hello);
    await peer.read(() => peer.received || undefined, 'an answer');
    peer.write(Buffer.from([21, 3, 3, 0, 2, 1, 0]));
  }
};

/** The code of the 'tlsClientError' of Node's server. */
async function codeOfNode(t, attack) {
  const reference = https.createServer(server);
  await listen(t, reference);
  const failed = new Promise((resolve) => reference.on('tlsClientError', resolve));
  await attack(await connectTcp(t, reference.address().port), await hello);
  return usualCode((await failed).code);
}

describe('no handshake', () => {
  for (const [name, attack] of Object.entries(ATTACKS)) {
    hawserTest(`${name}: the error that Node has, and the end`, async (t) => {
      const expected = await codeOfNode(t, attack);
      const wss = await serveTls(t);
      const goesOn = await bystander(t, wss);
      const events = [];
      wss.on('tlsClientError', (err, { remoteAddress, remotePort }) =>
        events.push([err.code, remoteAddress, remotePort])
      );
      const peer = await connectTcp(t, wss.testPort);
      const { localPort } = peer.socket;
      await attack(peer, await hello);
      await until(() => events.length > 0);
      await peer.end();
      assert.deepStrictEqual(events, [[expected, HOST, localPort]]);
      assert.ok(wss.tlsErrors[0] instanceof Error);
      await goesOn();
    });
  }

  // Each has its own code with OpenSSL, and another one with the next; they are errors of TLS all the
  // same.
  for (const [name, bytes] of [
    ['a plain OPTIONS', 'OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a record that is too long', Buffer.from([22, 3, 1, 255, 255, 1])],
    ['an alert', alert(40)],
    ['an empty ClientHello', record22([1, 0, 0, 0])],
    ['a ClientHello of 16 MiB', record22([1, 255, 255, 255])],
    ['a ClientHello of garbage', record22([1, 0, 0, 50, ...Buffer.alloc(50, 0xa5)])]
  ]) {
    hawserTest(`${name}: an error of TLS, and the end`, async (t) => {
      const wss = await serveTls(t);
      const goesOn = await bystander(t, wss);
      const peer = await connectTcp(t, wss.testPort);
      peer.write(bytes);
      await peer.end();
      await until(() => wss.tlsErrors.length > 0);
      assert.match(wss.tlsErrors[0].code, /^ERR_SSL_/);
      await goesOn();
    });
  }

  hawserTest('a ClientHello, then garbage: an error of TLS, and the end', async (t) => {
    const wss = await serveTls(t);
    const peer = await connectTcp(t, wss.testPort);
    peer.write(await hello);
    await peer.read(() => peer.received || undefined, 'an answer');
    peer.write(Buffer.alloc(64, 0x41));
    await peer.end();
    await until(() => wss.tlsErrors.length > 0);
    assert.match(wss.tlsErrors[0].code, /^ERR_SSL_/);
  });

  hawserTest("nobody needs to listen to 'tlsClientError'", async (t) => {
    const wss = await serveTls(t);
    wss.removeAllListeners('tlsClientError');
    const peer = await connectTcp(t, wss.testPort);
    peer.write('GET / HTTP/1.1\r\n\r\n');
    await peer.end();
    await (
      await bystander(t, wss)
    )();
  });

  hawserTest('a listener that throws: the process is told, and the server goes on', async (t) => {
    const wss = await serveTls(t);
    const goesOn = await bystander(t, wss);
    const thrown = new Promise((resolve) => {
      wss.on('tlsClientError', () => {
        // where an exception of a listener goes is up to the test runner, so it is caught here
        process.setUncaughtExceptionCaptureCallback(resolve);
        throw new Error('thrown');
      });
    });
    t.after(() => process.setUncaughtExceptionCaptureCallback(null));
    const peer = await connectTcp(t, wss.testPort);
    peer.write('no TLS');
    assert.strictEqual((await thrown).message, 'thrown');
    process.setUncaughtExceptionCaptureCallback(null);
    wss.removeAllListeners('tlsClientError');
    await goesOn();
  });

  hawserTest('random bytes, at once and behind a ClientHello', { timeout: 60000 }, async (t) => {
    const wss = await serveTls(t);
    const goesOn = await bystander(t, wss);
    const start = await hello;
    for (let i = 0; i < 100; i++) {
      const peer = await connectTcp(t, wss.testPort);
      if (i % 2) peer.write(start);
      // the second half looks like records
      if (i < 50) peer.socket.end(randomBytes(200));
      else
        peer.socket.end(
          Buffer.concat([Buffer.from([20 + (i % 4), 3, 3, 0, 195]), randomBytes(195)])
        );
      await peer.end();
    }
    await goesOn();
    await until(() => wss.tlsErrors.length === 100);
  });

  hawserTest('a ClientHello with one byte changed', { timeout: 60000 }, async (t) => {
    const wss = await serveTls(t);
    const goesOn = await bystander(t, wss);
    const good = await hello;
    for (let at = 0; at < good.length; at++) {
      const bad = Buffer.from(good);
      bad[at] ^= 0xff;
      const peer = await connectTcp(t, wss.testPort);
      peer.socket.end(bad);
      await peer.end();
    }
    await goesOn();
    await until(() => wss.tlsErrors.length === good.length);
  });

  hawserTest('a ClientHello in pieces, up to each of its bytes', { timeout: 60000 }, async (t) => {
    const wss = await serveTls(t);
    const goesOn = await bystander(t, wss);
    const good = await hello;
    for (let length = 1; length < good.length; length += 7) {
      const peer = await connectTcp(t, wss.testPort);
      peer.socket.end(good.subarray(0, length));
      await peer.end();
    }
    await goesOn();
    await until(() => wss.tlsErrors.every(({ code }) => code === 'ECONNRESET'));
  });
});

describe('a handshake that stops', () => {
  for (const [name, bytes] of [
    ['before its first byte', () => ''],
    ['in the ClientHello', (hello) => hello.subarray(0, 99)],
    ['behind the ClientHello', (hello) => hello]
  ]) {
    hawserTest(`${name}: handshakeTimeout`, async (t) => {
      const wss = await serveTls(t, { handshakeTimeout: 200 });
      const peer = await connectTcp(t, wss.testPort);
      peer.write(bytes(await hello));
      await peer.end();
      await until(() => wss.tlsErrors.length === 1);
      assert.strictEqual(wss.tlsErrors[0].code, 'ERR_TLS_HANDSHAKE_TIMEOUT');
    });
  }

  hawserTest('one that comes byte by byte has no more time', async (t) => {
    const wss = await serveTls(t, { handshakeTimeout: 200 });
    const peer = await connectTcp(t, wss.testPort);
    const bytes = await hello;
    for (let at = 0; at < bytes.length && !peer.ended; at++) {
      peer.write(bytes.subarray(at, at + 1));
      await delay(10);
    }
    await peer.end();
    assert.strictEqual(wss.tlsErrors[0].code, 'ERR_TLS_HANDSHAKE_TIMEOUT');
  });

  hawserTest('and no request behind it: the same time covers both', async (t) => {
    const wss = await serveTls(t, { handshakeTimeout: 200 });
    const raw = await nodeClient(t, wss.testPort);
    await raw.end();
    assert.deepStrictEqual(wss.tlsErrors, []);
  });

  hawserTest('half a request behind it: 408', async (t) => {
    const wss = await serveTls(t, { handshakeTimeout: 200 });
    const raw = await nodeClient(t, wss.testPort);
    raw.write('GET / HTTP/1.1\r\n');
    assert.match(await raw.head(), /^HTTP\/1\.1 408 /);
    await raw.end();
  });

  hawserTest('an open connection is not affected by it', async (t) => {
    const wss = await serveTls(t, { handshakeTimeout: 100 });
    const goesOn = await bystander(t, wss);
    await delay(200);
    await goesOn();
  });

  hawserTest(
    '1000 of them: others get in, and close() completes',
    { timeout: 60000 },
    async (t) => {
      const wss = await serveTls(t);
      const bytes = await hello;
      const halves = await Promise.all(
        Array.from({ length: 1000 }, async (_, i) => {
          const peer = await connectTcp(t, wss.testPort);
          if (i % 4) peer.write(bytes.subarray(0, (i % 4) * 90));
          return peer;
        })
      );
      await (
        await bystander(t, wss)
      )();
      for (const client of wss.clients) client.close();
      // nobody waits for a handshake that has not been made
      await new Promise((resolve) => wss.close(resolve));
      await Promise.all(halves.map((peer) => peer.end()));
    }
  );
});

describe('in an open connection', () => {
  const undecryptable = Buffer.concat([Buffer.from([23, 3, 3, 0, 64]), Buffer.alloc(64, 0xa5)]);
  for (const version of VERSIONS) {
    for (const [name, act] of [
      ['plain text', (tcp) => tcp.write('GET / HTTP/1.1\r\n\r\n')],
      ['a record that does not decrypt', (tcp) => tcp.write(undecryptable)],
      ['a record that is too long', (tcp) => tcp.write(Buffer.from([23, 3, 3, 255, 255, 1]))],
      ['half a record, and the end', (tcp) => tcp.end(undecryptable.subarray(0, 20))],
      ['an alert that is not encrypted', (tcp) => tcp.write(alert(80))]
    ]) {
      hawserTest(`${name}: 1006 and the end, ${version}`, async (t) => {
        const wss = await serveTls(t, only(version));
        const goesOn = await bystander(t, wss);
        const connection = once(wss, 'connection');
        const front = await tap(t, wss.testPort);
        const raw = await nodeWebSocket(t, front.port);
        const [ws] = await connection;
        const log = record(ws, ['message', 'error', 'close']);
        raw.send(OP.TEXT, 'before');
        await until(() => log.length === 1);
        act(front.connections[0].server);
        await raw.end();
        await until(() => log.length === 2);
        assert.deepStrictEqual(log, [
          ['message', Buffer.from('before'), false],
          ['close', 1006, Buffer.alloc(0)]
        ]);
        await goesOn();
        assert.deepStrictEqual(wss.tlsErrors, []);
      });
    }
  }

  hawserTest('renegotiation is refused (TLS 1.2)', async (t) => {
    const wss = await serveTls(t);
    const goesOn = await bystander(t, wss);
    const raw = await nodeWebSocket(t, wss.testPort, only('TLSv1.2'));
    const err = await new Promise((resolve) => {
      raw.socket.once('error', resolve);
      raw.socket.once('close', () => resolve(null));
      raw.socket.renegotiate({ rejectUnauthorized: true }, (err) => resolve(err ?? 'renegotiated'));
    });
    assert.notStrictEqual(err, 'renegotiated');
    await goesOn();
  });

  for (const version of VERSIONS) {
    hawserTest(`what is no HTTP inside of TLS: 400, ${version}`, async (t) => {
      const wss = await serveTls(t, only(version));
      const raw = await nodeClient(t, wss.testPort);
      raw.write('this is no HTTP\r\n\r\n');
      assert.match(await raw.head(), /^HTTP\/1\.1 400 /);
      await raw.end();
      assert.deepStrictEqual(wss.tlsErrors, []);
    });
  }
});

describe('the end of the server', () => {
  hawserTest('close() while handshakes are made', async (t) => {
    const wss = await serveTls(t);
    const attempts = Array.from({ length: 20 }, () => nodeWebSocket(t, wss.testPort));
    for (const attempt of attempts) attempt.catch(() => {});
    await new Promise((resolve) => {
      wss.close(resolve);
      // who got in before is told to go
      wss.on('connection', (ws) => ws.terminate());
    });
    await Promise.allSettled(attempts);
  });

  hawserTest('500 connections come and go: none is left', { timeout: 60000 }, async (t) => {
    const wss = await serveTls(t);
    for (let i = 0; i < 25; i++) {
      await Promise.all(
        Array.from({ length: 20 }, async (_, j) => {
          const raw = await nodeWebSocket(t, wss.testPort);
          if (j % 3 === 0) raw.reset();
          else if (j % 3 === 1) raw.socket.end();
          else raw.destroy();
        })
      );
    }
    await until(() => wss.clients.size === 0);
    await new Promise((resolve) => wss.close(resolve));
  });
});

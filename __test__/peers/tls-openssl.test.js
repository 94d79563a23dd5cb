'use strict';

// A server and a client of the implementation against OpenSSL's own: `openssl s_client` and
// `openssl s_server`, which can do what Node does not let one do.

const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawn, spawnSync } = require('node:child_process');
const { describe } = require('node:test');
const { HOST, hawserTest, messages, once, test, until, within } = require('../support/helpers.js');
const { OP, buildFrame, upgradeRequest, upgradeResponse } = require('../support/raw-peer.js');
const { WebSocket, WebSocketServer } = require('../support/impl.js');
const { file, pair, root, server: serverPair } = require('../support/certificates.js');
const { needPeer } = require('./need-peer.js');

const HINT = 'openssl is missing: apt-get install openssl';
const VERSIONS = [
  ['TLSv1.2', '-tls1_2'],
  ['TLSv1.3', '-tls1_3']
];

const openssl = spawnSync('openssl', ['version']).status === 0;

/** A running `openssl`: `output` is all that it has written, as latin1. */
function run(t, ...args) {
  const child = spawn('openssl', args);
  t.after(() => child.kill('SIGKILL'));
  const running = { child, output: '', closed: once(child, 'close') };
  running.closed.catch(() => {});
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => (running.output += chunk.toString('latin1')));
  }
  child.stdin.on('error', () => {});
  running.write = (data) => child.stdin.write(data);
  running.said = async (text) => {
    try {
      await until(() => running.output.includes(text));
    } catch (err) {
      throw new Error(`no '${text}' in:\n${running.output}`, { cause: err });
    }
  };
  return running;
}

/** An echoing server with a certificate. */
async function listen(t, options) {
  const wss = new WebSocketServer({ host: HOST, port: 0, ...serverPair, ...options });
  t.after(() => {
    for (const ws of wss.clients) ws.terminate();
    wss.close();
  });
  wss.tlsErrors = [];
  wss.on('tlsClientError', (err) => wss.tlsErrors.push(err));
  wss.on('connection', (ws) => {
    ws.on('error', () => {});
    ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
  });
  await once(wss, 'listening');
  return wss;
}

/** `openssl s_client` to `wss`. */
function connect(t, wss, ...args) {
  const to = ['-connect', `${HOST}:${wss.address().port}`, '-CAfile', file('root.crt')];
  return run(t, 's_client', ...to, '-verify_return_error', ...args);
}

/** Sends the opening request, and a text that comes back. */
async function converse(client, text) {
  if (!client.output.includes('101 Switching')) {
    client.write(upgradeRequest());
    await client.said('HTTP/1.1 101 Switching Protocols');
  }
  client.write(buildFrame({ opcode: OP.TEXT, payload: text, mask: true }));
  await client.said(text);
}

/** A file name in a folder that is gone after the test. */
function temporary(t, name) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hawser-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return path.join(folder, name);
}

describe('openssl s_client', () => {
  for (const [version, flag] of VERSIONS) {
    hawserTest(`${version}: verified, and a conversation`, async (t) => {
      if (!needPeer(t, openssl, HINT)) return;
      const wss = await listen(t);
      const client = connect(
        t,
        wss,
        flag,
        '-servername',
        'localhost',
        '-verify_hostname',
        'localhost'
      );
      await converse(client, 'hello from s_client');
      assert.match(client.output, /Verification: OK/);
      assert.match(client.output, new RegExp(`(New|Protocol *:).*${version}`));
      assert.match(client.output, /Server Temp Key: X25519/);
    });

    hawserTest(`${version}: a session is kept in a file, and resumed`, async (t) => {
      if (!needPeer(t, openssl, HINT)) return;
      const wss = await listen(t);
      const session = temporary(t, 'session');
      const first = connect(t, wss, flag, '-sess_out', session);
      await converse(first, 'the first time');
      assert.match(first.output, /^New, /m);
      await until(() => fs.existsSync(session) && fs.statSync(session).size > 0, 'the session');
      first.child.stdin.end();
      await first.closed;
      const second = connect(t, wss, flag, '-sess_in', session);
      const connection = once(wss, 'connection');
      await converse(second, 'the second time');
      assert.match(second.output, /^Reused, /m);
      assert.strictEqual((await connection)[0]._socket.isSessionReused(), true);
    });

    hawserTest(`${version}: ALPN`, async (t) => {
      if (!needPeer(t, openssl, HINT)) return;
      const wss = await listen(t);
      const client = connect(t, wss, flag, '-alpn', 'h2,http/1.1');
      await client.said('ALPN protocol: http/1.1');
      const other = connect(t, wss, flag, '-alpn', 'h2');
      await other.said('alert number 120');
      await other.closed;
    });

    hawserTest(`${version}: a client certificate`, async (t) => {
      if (!needPeer(t, openssl, HINT)) return;
      const wss = await listen(t, { ca: root, requestCert: true });
      const own = ['-cert', file('client.crt'), '-key', file('leaf.key')];
      const client = connect(t, wss, flag, ...own);
      const connection = once(wss, 'connection');
      await converse(client, 'it is me');
      const { _socket: socket } = (await connection)[0];
      assert.strictEqual(socket.authorized, true);
      assert.strictEqual(socket.getPeerCertificate().subject.CN, 'client');
      assert.match(client.output, /Acceptable client certificate CA names\nCN = hawser test root/);
    });

    for (const curve of ['X25519', 'P-256', 'P-384']) {
      hawserTest(`${version}: ${curve} only`, async (t) => {
        if (!needPeer(t, openssl, HINT)) return;
        // in TLS 1.2 the groups are those of certificates too, so it is none of a curve
        const wss = await listen(t, pair('rsa'));
        await converse(connect(t, wss, flag, '-groups', curve), `by ${curve}`);
      });
    }

    hawserTest(`${version}: small records and a small buffer of the client`, async (t) => {
      if (!needPeer(t, openssl, HINT)) return;
      const wss = await listen(t);
      const client = connect(t, wss, flag, '-max_send_frag', '512', '-maxfraglen', '512');
      await converse(client, 'x'.repeat(5000));
    });
  }

  hawserTest('-reconnect: five sessions more, all of them the first', async (t) => {
    if (!needPeer(t, openssl, HINT)) return;
    const wss = await listen(t);
    const client = connect(t, wss, '-tls1_2', '-reconnect');
    await until(() => client.output.match(/^Reused, /gm)?.length === 5, 'five times Reused');
    assert.strictEqual(client.output.match(/^New, /gm).length, 1);
    await converse(client, 'at last');
  });

  hawserTest('TLS 1.2: renegotiation is refused, and others go on', async (t) => {
    if (!needPeer(t, openssl, HINT)) return;
    const wss = await listen(t);
    const other = connect(t, wss);
    await converse(other, 'before');
    const client = connect(t, wss, '-tls1_2');
    await converse(client, 'hello');
    client.write('R\n');
    await client.said('RENEGOTIATING');
    await within(client.closed, 'the end of the client');
    assert.match(client.output, /no renegotiation|alert|errno/i);
    await converse(other, 'after');
  });

  for (const [letter, title] of [
    ['k', 'a key update'],
    ['K', 'a key update that asks for one']
  ]) {
    hawserTest(`TLS 1.3: ${title}, again and again`, async (t) => {
      if (!needPeer(t, openssl, HINT)) return;
      const wss = await listen(t);
      const client = connect(t, wss, '-tls1_3');
      await converse(client, 'before');
      for (let i = 0; i < 5; i++) {
        client.write(`${letter}\n`);
        await until(() => client.output.match(/KEYUPDATE/g)?.length === i + 1);
        await converse(client, `after ${i}`);
      }
    });
  }

  for (const flag of ['-tls1', '-tls1_1']) {
    hawserTest(`${flag.slice(1)} is not spoken`, async (t) => {
      if (!needPeer(t, openssl, HINT)) return;
      const wss = await listen(t);
      const client = connect(t, wss, flag, '-cipher', 'DEFAULT@SECLEVEL=0');
      await client.closed;
      assert.match(client.output, /alert number 70|no protocols available/);
      assert.strictEqual(wss.clients.size, 0);
    });
  }

  hawserTest('the certificate by name', async (t) => {
    if (!needPeer(t, openssl, HINT)) return;
    const wss = await listen(t, { secureContexts: { 'name.test': pair('direct') } });
    const named = connect(t, wss, '-servername', 'name.test');
    await named.said('subject=CN = direct');
    const nameless = connect(t, wss, '-noservername');
    await nameless.said('subject=CN = server');
  });
});

describe('openssl s_server', () => {
  /** A server that answers one opening handshake; what is written to it goes to the client. */
  async function serve(t, ...args) {
    const server = run(
      t,
      's_server',
      ...['-accept', `${HOST}:0`, '-naccept', '3'],
      ...['-cert', file('server.crt'), '-key', file('leaf.key')],
      ...['-cert_chain', file('intermediate.crt')],
      ...args
    );
    await server.said('ACCEPT');
    const [, port] = /^ACCEPT [^\n]*:(\d+)/m.exec(server.output);
    server.url = `wss://${HOST}:${port}`;
    return server;
  }

  async function dial(t, server, options) {
    const client = new WebSocket(server.url, { ca: root, perMessageDeflate: false, ...options });
    t.after(() => {
      client.on('error', () => {});
      client.terminate();
    });
    const opened = once(client, 'open');
    const at = server.output.length;
    await until(() => server.output.indexOf('\r\n\r\n', at) > 0, 'the request');
    server.write(upgradeResponse(server.output.slice(at)));
    await opened;
    return client;
  }

  async function exchange(server, client, text) {
    const message = messages(client, 1);
    server.write(buildFrame({ opcode: OP.TEXT, payload: text }));
    assert.strictEqual(String((await message)[0][0]), text);
    // unmasked, to be read in the output of the server
    client.send(`back: ${text}`, { mask: false });
    await server.said(`back: ${text}`);
  }

  for (const [version, flag] of VERSIONS) {
    test(`${version}: a conversation`, async (t) => {
      if (!needPeer(t, openssl, HINT)) return;
      const server = await serve(t, flag);
      const client = await dial(t, server);
      assert.strictEqual(client._socket.getProtocol(), version);
      assert.strictEqual(client._socket.authorized, true);
      await exchange(server, client, 'hello');
    });

    test(`${version}: a client certificate`, async (t) => {
      if (!needPeer(t, openssl, HINT)) return;
      const server = await serve(t, flag, '-Verify', '2', '-CAfile', file('root.crt'));
      const client = await dial(t, server, pair('client'));
      await exchange(server, client, 'hello');
      assert.match(server.output, /CN = client\b/);
    });
  }

  for (const [letter, title] of [
    ['k', 'a key update'],
    ['K', 'a key update that asks for one']
  ]) {
    test(`TLS 1.3: ${title}, again and again`, async (t) => {
      if (!needPeer(t, openssl, HINT)) return;
      const server = await serve(t, '-tls1_3');
      const client = await dial(t, server);
      await exchange(server, client, 'before');
      for (let i = 0; i < 5; i++) {
        server.write(`${letter}\n`);
        // it looks at its input first, so the letter is a command of its own then
        client.send(`update ${i}`, { mask: false });
        await server.said(`update ${i}`);
        await exchange(server, client, `after ${i}`);
      }
      server.write('Q\n'); // what it prints about them comes when it ends
      await server.closed;
      assert.strictEqual(server.output.match(/SSL_do_handshake -> 1/g).length, 5);
    });
  }

  test('TLS 1.3: a request to begin again (HelloRetryRequest)', async (t) => {
    if (!needPeer(t, openssl, HINT)) return;
    // none of the groups for which a client sends a share unasked
    const server = await serve(t, '-tls1_3', '-groups', 'P-384');
    const client = await dial(t, server);
    await exchange(server, client, 'hello');
  });

  test('TLS 1.3: many tickets, and none', async (t) => {
    if (!needPeer(t, openssl, HINT)) return;
    for (const count of ['0', '20']) {
      const server = await serve(t, '-tls1_3', '-num_tickets', count);
      await exchange(server, await dial(t, server), 'hello');
    }
  });

  for (const [version, flag] of VERSIONS) {
    test(`${version}: records of 512 bytes`, async (t) => {
      if (!needPeer(t, openssl, HINT)) return;
      const server = await serve(t, flag, '-max_send_frag', '512');
      await exchange(server, await dial(t, server), 'x'.repeat(3000));
    });
  }
});

'use strict';

// TLS between the implementation and Bun, whose TLS is BoringSSL.

const assert = require('node:assert');
const readline = require('node:readline');
const { once } = require('node:events');
const { HOST, hawserTest, messages, test } = require('../support/helpers.js');
const { WebSocket, WebSocketServer } = require('../support/impl.js');
const { file, root, server } = require('../support/certificates.js');
const { HINT, bun, run } = require('./bun-peer.js');
const { needPeer } = require('./need-peer.js');

for (const version of ['TLSv1.2', 'TLSv1.3']) {
  hawserTest(`client of Bun, ${version}`, async (t) => {
    if (!needPeer(t, bun, HINT)) return;
    const versions = { minVersion: version, maxVersion: version };
    const wss = new WebSocketServer({ host: HOST, port: 0, ...server, ...versions });
    t.after(() => wss.close());
    await once(wss, 'listening');
    wss.on('connection', (ws) => {
      ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
    });
    const child = run(t, 'client.js', `wss://${HOST}:${wss.address().port}`, file('root.crt'));
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    const [status] = await once(child, 'close');
    assert.strictEqual(status, 0, output);
    assert.match(output, /^ok /);
  });

  test(`server of Bun, ${version}`, async (t) => {
    if (!needPeer(t, bun, HINT)) return;
    const child = run(t, 'server.js', file('direct.crt'), file('leaf.key'));
    const [port] = await once(readline.createInterface({ input: child.stdout }), 'line');
    const versions = { minVersion: version, maxVersion: version };
    const ws = new WebSocket(`wss://${HOST}:${port}/`, { ca: root, ...versions });
    t.after(() => ws.terminate());
    await once(ws, 'open');
    assert.strictEqual(ws._socket.getProtocol(), version);
    assert.strictEqual(ws._socket.getPeerCertificate().subject.CN, 'direct');
    for (const size of [0, 1, 16384, 65536, 1 << 20]) {
      const data = Buffer.alloc(size, 'abcdefg');
      const echo = messages(ws, 1);
      ws.send(data);
      assert.ok(data.equals((await echo)[0][0]), `${size} bytes`);
    }
    const closed = once(ws, 'close');
    ws.close(1000);
    assert.strictEqual((await closed)[0], 1000);
  });
}

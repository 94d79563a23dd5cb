'use strict';

// Over TLS: the implementation against the Python package websockets, as the server and as the client.

const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');
const { once } = require('node:events');
const { spawn, spawnSync } = require('node:child_process');
const { HOST, hawserTest, messages, test } = require('../support/helpers.js');
const { WebSocket, WebSocketServer } = require('../support/impl.js');
const { certificate, file, root, server: serverPair } = require('../support/certificates.js');
const { needPeer } = require('./need-peer.js');

const SIZES = [0, 1, 126, 16384, 65536, 1024 * 1024];
const HINT =
  'Python with websockets is missing: python3 -m venv __test__/peers/.venv && ' +
  '__test__/peers/.venv/bin/pip install websockets';

const python = [path.join(__dirname, '.venv', 'bin', 'python'), 'python3'].find(hasWebsockets);
const script = (name) => path.join(__dirname, 'python', name);

function hasWebsockets(executable) {
  if (path.isAbsolute(executable) && !fs.existsSync(executable)) return false;
  return spawnSync(executable, ['-c', 'import websockets.asyncio.client']).status === 0;
}

/** Runs client.py, which trusts `authority`, against a server; its exit status and output. */
async function runClient(t, wss, authority) {
  const url = `wss://localhost:${wss.address().port}`;
  const child = spawn(python, [script('client.py'), url], {
    env: { ...process.env, SSL_CERT_FILE: file(`${authority}.crt`) }
  });
  t.after(() => child.kill());
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const [status] = await once(child, 'close');
  return { status, output };
}

/** An echoing server with a certificate. */
async function listen(t, options) {
  const wss = new WebSocketServer({ host: HOST, port: 0, ...serverPair, ...options });
  t.after(() => wss.close());
  wss.on('connection', (ws) => {
    ws.on('message', (data, isBinary) => {
      if (data.toString() === 'close me') ws.close(4002, 'as asked');
      else ws.send(data, { binary: isBinary });
    });
  });
  await once(wss, 'listening');
  return wss;
}

for (const version of ['TLSv1.2', 'TLSv1.3']) {
  hawserTest(`client of Python websockets, ${version}`, async (t) => {
    if (!needPeer(t, python, HINT)) return;
    const wss = await listen(t, { minVersion: version, maxVersion: version });
    const closes = [];
    wss.on('connection', (ws) => ws.on('close', (code) => closes.push(code)));
    const { status, output } = await runClient(t, wss, 'root');
    assert.strictEqual(status, 0, output);
    assert.deepStrictEqual(closes, [1000, 1000, 1000, 1000, 1000, 4001, 4002, 1000]);
  });

  test(`server of Python websockets, ${version}`, async (t) => {
    if (!needPeer(t, python, HINT)) return;
    // one file with the chain, as Python wants it
    const chain = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'hawser-')), 'chain.crt');
    fs.writeFileSync(chain, certificate('server', 'intermediate'));
    t.after(() => fs.rmSync(path.dirname(chain), { recursive: true }));
    const args = [script('server.py'), chain, file('leaf.key'), version.replace('.', '_')];
    const child = spawn(python, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => child.kill());
    const lines = readline.createInterface({ input: child.stdout });
    const [line] = await once(lines, 'line');

    const client = new WebSocket(`wss://localhost:${line.split(' ')[1]}`, { ca: root });
    t.after(() => client.terminate());
    await once(client, 'open');
    assert.strictEqual(client._socket.getProtocol(), version);
    for (const size of SIZES) {
      const data = Buffer.alloc(size, 'abcdefg');
      const echo = messages(client, 1);
      client.send(data);
      assert.ok(data.equals((await echo)[0][0]), `${size} bytes`);
    }
    const closed = once(client, 'close');
    const seen = once(lines, 'line');
    client.close(4003, 'enough');
    assert.strictEqual((await closed)[0], 4003);
    assert.strictEqual((await seen)[0], 'closed 4003 enough');
  });
}

hawserTest('a client of Python websockets that does not trust the server', async (t) => {
  if (!needPeer(t, python, HINT)) return;
  const wss = await listen(t);
  const failed = new Promise((resolve) => wss.on('tlsClientError', resolve));
  const { status, output } = await runClient(t, wss, 'other-root');
  assert.notStrictEqual(status, 0);
  assert.match(output, /CERTIFICATE_VERIFY_FAILED/);
  // asyncio closes the connection, with or without the alert
  assert.match((await failed).code, /^(ECONNRESET|ERR_SSL_TLSV1_ALERT_UNKNOWN_CA)$/);
});

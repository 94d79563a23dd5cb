'use strict';

// Vite's dev server and its channel for hot module replacement. Vite has a copy of ws of its own in
// its bundle, so what is tested here is the client, and a server behind Vite's proxy.

const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { HOST, connect, dial, echo, once, serve, until, within } = require('../support/helpers.js');
const { frameworkTest, loadModule } = require('./support/load.js');

const MAIN = 'main.js';
const SOURCE = 'export const n = 1;\nimport.meta.hot?.accept();\n';

/** A dev server for a folder with one module, which accepts its own updates. */
async function start(t, options) {
  const { createServer } = await loadModule('vite');
  const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'hawser-vite-')));
  t.after(() => fs.rmSync(root, { recursive: true, force: true }));
  fs.writeFileSync(path.join(root, MAIN), SOURCE);
  const vite = await createServer({
    root,
    configFile: false,
    cacheDir: path.join(root, '.cache'),
    logLevel: 'silent',
    optimizeDeps: { noDiscovery: true },
    server: { host: HOST, port: 0, ...options }
  });
  t.after(() => vite.close());
  await vite.listen();
  const host = `${HOST}:${vite.httpServer.address().port}`;
  return { vite, root, http: `http://${host}`, ws: `ws://${host}` };
}

/** The next message of `type` on the channel. */
function nextOf(ws, type) {
  let onMessage;
  const promise = new Promise((resolve) => {
    onMessage = (data, isBinary) => {
      const message = JSON.parse(data);
      if (!isBinary && message.type === type) resolve(message);
    };
    ws.on('message', onMessage);
  });
  return within(promise, type).finally(() => ws.removeListener('message', onMessage));
}

/** A client of the channel that has been greeted. */
async function follow(t, url, options) {
  const ws = dial(t, url, 'vite-hmr', options);
  const connected = nextOf(ws, 'connected');
  await once(ws, 'open');
  assert.strictEqual(ws.protocol, 'vite-hmr');
  assert.deepStrictEqual(await connected, { type: 'connected' });
  return ws;
}

frameworkTest('an update after a file has changed', async (t) => {
  const { vite, root, http, ws: url } = await start(t);
  const ws = await follow(t, url);
  // a module that nobody has asked for has no updates
  assert.match(await (await fetch(`${http}/${MAIN}`)).text(), /export const n = 1/);
  await until(() => vite.watcher.getWatched()[root]?.includes(MAIN), 'the file to be watched');

  const update = nextOf(ws, 'update');
  fs.writeFileSync(path.join(root, MAIN), SOURCE.replace('1', '2'));
  const { updates } = await update;
  assert.deepStrictEqual(
    updates.map(({ type, path, acceptedPath }) => ({ type, path, acceptedPath })),
    [{ type: 'js-update', path: '/main.js', acceptedPath: '/main.js' }]
  );
  const response = await fetch(`${http}/${MAIN}?t=${updates[0].timestamp}`);
  assert.match(await response.text(), /export const n = 2/);
});

frameworkTest('events of an application, both ways', async (t) => {
  const { vite, ws: url } = await start(t);
  const [ws, other] = [await follow(t, url), await follow(t, url)];
  vite.ws.on('app:upper', ({ text }, client) => client.send('app:answer', text.toUpperCase()));
  const answer = nextOf(ws, 'custom');
  const text = 'straße '.repeat(20_000);
  ws.send(JSON.stringify({ type: 'custom', event: 'app:upper', data: { text } }));
  const { event, data } = await answer;
  assert.strictEqual(event, 'app:answer');
  assert.strictEqual(data, text.toUpperCase());

  const reloads = Promise.all([ws, other].map((client) => nextOf(client, 'full-reload')));
  vite.ws.send({ type: 'full-reload', path: '*' });
  await reloads;
});

frameworkTest('as a browser: with the token of the page, and refused without it', async (t) => {
  const { http, ws: url } = await start(t);
  const script = await (await fetch(`${http}/@vite/client`)).text();
  const [, token] = /wsToken = "([^"]+)"/.exec(script);
  await follow(t, `${url}/?token=${token}`, { origin: http });

  const refused = dial(t, `${url}/?token=wrong`, 'vite-hmr', { origin: http });
  const [error] = await once(refused, 'error');
  assert.strictEqual(error.message, 'Unexpected server response: 400');
});

frameworkTest('the ping of a client that waits for a restart', async (t) => {
  const { ws: url } = await start(t);
  const ws = dial(t, url, 'vite-ping');
  const [code] = await once(ws, 'close');
  assert.strictEqual(code, 1000);
});

frameworkTest('the end of the dev server', async (t) => {
  const { vite, ws: url } = await start(t);
  const ws = await follow(t, url);
  const closed = new Promise((resolve) => ws.once('close', resolve));
  await vite.close();
  assert.strictEqual(await within(closed, "'close'"), 1006);
});

frameworkTest('a server behind the proxy', async (t) => {
  const wss = await serve(t, { path: '/api/echo' }, echo);
  const { ws: url } = await start(t, { proxy: { '/api': { target: wss.testUrl, ws: true } } });
  const ws = await connect(t, `${url}/api/echo`);
  const large = Buffer.alloc(1024 * 1024, 'large');
  for (const message of [Buffer.from('hello'), large]) {
    ws.send(message);
    assert.deepStrictEqual(await once(ws, 'message'), [message, true]);
  }
  const [peer] = wss.clients;
  const closes = Promise.all([once(peer, 'close'), once(ws, 'close')]);
  ws.close(4001, 'bye');
  for (const [code, reason] of await closes) {
    assert.deepStrictEqual([code, String(reason)], [4001, 'bye']);
  }
});

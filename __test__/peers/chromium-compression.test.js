'use strict';

// permessage-deflate between the implementation and a headless Chromium.

const assert = require('node:assert');
const http = require('node:http');
const { once } = require('node:events');
const { describe, before, after } = require('node:test');
const { test } = require('../support/helpers.js');
const { prose } = require('../support/deflate.js');
const { WebSocketServer } = require('../support/impl.js');
const { Browser, findChromium } = require('../support/cdp.js');
const { needPeer } = require('./need-peer.js');

const HINT = 'Chromium is missing: apt-get install chromium, or set CHROMIUM to its path';
const chromium = findChromium();

describe('Chromium', () => {
  let browser;

  before(async () => {
    if (chromium) browser = await Browser.launch(chromium);
  });

  after(() => browser?.close());

  for (const [title, perMessageDeflate, agreed] of [
    ['context takeover', true, ''],
    [
      'no context takeover',
      { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 },
      '; server_no_context_takeover; client_no_context_takeover'
    ],
    [
      'small windows',
      { serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
      '; client_max_window_bits=9; server_max_window_bits=9'
    ]
  ]) {
    test(title, async (t) => {
      if (!needPeer(t, chromium, HINT)) return;
      const server = http.createServer((req, res) => {
        res.setHeader('Content-Type', 'text/html').end('<title>test</title>');
      });
      const wss = new WebSocketServer({ server, perMessageDeflate });
      server.listen(0, '127.0.0.1');
      await once(wss, 'listening');
      t.after(() => {
        for (const ws of wss.clients) ws.terminate();
        wss.close();
        server.close();
        server.closeAllConnections();
      });
      const received = [];
      wss.on('connection', (ws) => {
        assert.strictEqual(ws.extensions, 'permessage-deflate');
        ws.on('message', (data, isBinary) => {
          received.push(data.length);
          if (String(data) === 'fragments, please') {
            ws.send('one ', { fin: false });
            ws.ping();
            ws.send('', { fin: false });
            ws.send('two', { fin: true });
          } else {
            ws.send(data, { binary: isBinary });
          }
        });
      });

      const page = await browser.open(`http://127.0.0.1:${server.address().port}/`);
      const text = JSON.stringify(prose(20000));
      const extensions = await page.evaluate(`(${inPage})(${text})`);
      assert.strictEqual(extensions, `permessage-deflate${agreed}`);
      assert.deepStrictEqual(received, [0, 20000, 5, 70000, 20000, 70000, 0, 17]);
    });
  }
});

/** Runs in the page: what was agreed on. */
async function inPage(text) {
  const ws = new WebSocket(`ws://${location.host}/`);
  ws.binaryType = 'arraybuffer';
  const next = (type) =>
    new Promise((resolve, reject) => {
      ws.addEventListener(type, resolve, { once: true });
      ws.addEventListener('close', () => reject(new Error(`closed before ${type}`)), {
        once: true
      });
    });
  await next('open');
  const random = new Uint8Array(70000);
  for (let at = 0; at < random.length; at += 10000) {
    crypto.getRandomValues(random.subarray(at, at + 10000));
  }
  for (const data of ['', text, 'short', random, text, random, new Uint8Array(0)]) {
    const message = next('message');
    ws.send(data);
    const echo = (await message).data;
    const isSame =
      typeof data === 'string'
        ? echo === data
        : echo.byteLength === data.length && new Uint8Array(echo).every((b, i) => b === data[i]);
    if (!isSame) throw new Error(`the echo of ${data.length} is another`);
  }
  const message = next('message');
  ws.send('fragments, please');
  if ((await message).data !== 'one two') throw new Error('fragments');
  return ws.extensions;
}

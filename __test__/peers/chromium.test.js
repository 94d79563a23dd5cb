'use strict';

// The implementation against a headless Chromium, and the demo as a user sees it.

const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');
const { once } = require('node:events');
const { spawn } = require('node:child_process');
const { describe, before, after } = require('node:test');
const { test } = require('../support/helpers.js');
const { WebSocketServer } = require('../support/impl.js');
const { Browser, findChromium } = require('../support/cdp.js');
const { needPeer } = require('./need-peer.js');

const HINT = 'Chromium is missing: apt-get install chromium, or set CHROMIUM to its path';
const isOtherImpl = process.env.HAWSER_TEST_IMPL === 'ws';

const chromium = findChromium();

describe('Chromium', () => {
  let browser;

  before(async () => {
    if (chromium) browser = await Browser.launch(chromium);
  });

  after(() => browser?.close());

  test('messages, ping and close', async (t) => {
    if (!needPeer(t, chromium, HINT)) return;
    const answer = (req, res) => {
      res.setHeader('Content-Type', 'text/html').end('<title>test</title>');
    };
    // hawser answers plain requests on its own port; ws needs a server for that
    const server = isOtherImpl ? http.createServer(answer) : null;
    const wss = new WebSocketServer(server ? { server } : { port: 0, host: '127.0.0.1' });
    if (!server) wss.on('request', answer);
    const pongs = [];
    const closes = [];
    wss.on('connection', (ws) => {
      assert.strictEqual(ws.extensions, '');
      ws.ping('hello');
      ws.on('pong', (data) => pongs.push(data.toString()));
      ws.on('message', (data, isBinary) => {
        if (data.toString() === 'close me') ws.close(4002, 'as asked');
        else ws.send(data, { binary: isBinary });
      });
      ws.on('close', (code, reason) => closes.push([code, reason.toString()]));
    });
    const allClosed = new Promise((resolve) => {
      wss.on('connection', (ws) => ws.on('close', () => closes.length === 2 && resolve()));
    });
    server?.listen(0, '127.0.0.1');
    await once(wss, 'listening');
    t.after(() => {
      wss.close();
      server?.close();
      server?.closeAllConnections();
    });

    const page = await browser.open(`http://127.0.0.1:${wss.address().port}/`);
    await page.evaluate(`(${inPage})()`);
    await allClosed;
    assert.deepStrictEqual(closes, [
      [4001, 'bye'],
      [4002, 'as asked']
    ]);
    assert.deepStrictEqual(pongs, ['hello', 'hello']);
  });

  test(
    'the demo',
    { timeout: 60_000, skip: isOtherImpl && 'the demo runs on hawser' },
    async (t) => {
      if (!needPeer(t, chromium, HINT)) return;
      const url = await startDemo(t);
      const page = await browser.open(url);

      await page.waitFor(`document.querySelector('#status').dataset.state === 'connected'`);
      await page.type('#name-form input', 'Ada');
      await page.click('#name-form button');
      await page.waitFor(`!document.querySelector('#say-form button').disabled`);
      await page.type('#say-form input', '<b>hello</b> & welcome');
      await page.click('#say-form button');
      const line = await page.waitFor(`document.querySelector('#lines .said')?.innerText`);
      assert.match(line, /Ada <b>hello<\/b> & welcome$/);

      const number = (selector) =>
        `parseFloat(document.querySelector('${selector}').textContent.replaceAll(',', ''))`;
      await page.type('#load-form [name=clients]', '20');
      await page.click('#load-button');
      await page.waitFor(`${number('[data-chart=connections] b')} === 21`, 20_000);
      await page.waitFor(`${number('[data-chart=messages] b')} > 100`, 20_000);
      await page.waitFor(`${number('[data-chart=cpu] b')} > 0`);
      await page.waitFor(`${number('[data-chart=roundTrip] b')} > 0`);
      await page.waitFor(`/median [0-9.]+ ms/.test(document.body.innerText)`);
      for (const chart of ['messages', 'cpu', 'roundTrip', 'connections']) {
        const before = await page.evaluate(pixels(chart));
        await page.waitFor(`${pixels(chart)} !== ${JSON.stringify(before)}`);
      }
      const picture = path.join(os.tmpdir(), `hawser-demo-${process.pid}.png`);
      t.after(() => fs.rmSync(picture, { force: true }));
      await page.screenshot(picture);
      assert(fs.statSync(picture).size > 10_000);

      await page.click('#load-button');
      await page.waitFor(`${number('[data-chart=connections] b')} === 1`);
      await page.waitFor(`document.querySelector('#load-button').textContent === 'Start'`);
    }
  );
});

/** Runs in the page. */
async function inPage() {
  const next = (ws, type) =>
    new Promise((resolve, reject) => {
      ws.addEventListener(type, resolve, { once: true });
      ws.addEventListener('error', () => reject(new Error(`error before ${type}`)), { once: true });
    });
  const connect = async (protocols) => {
    const ws = new WebSocket(`ws://${location.host}/`, protocols);
    ws.binaryType = 'arraybuffer';
    await next(ws, 'open');
    return ws;
  };
  const check = (isTrue, what) => {
    if (!isTrue) throw new Error(what);
  };

  const ws = await connect(['first', 'second']);
  check(ws.protocol === 'first', 'subprotocol');
  for (const size of [0, 1, 125, 126, 127, 4096, 65535, 65536, 1024 * 1024]) {
    let message = next(ws, 'message');
    const bytes = new Uint8Array(size).map((_, i) => i);
    ws.send(bytes);
    const echo = new Uint8Array((await message).data);
    check(echo.length === size && echo.every((byte, i) => byte === bytes[i]), `binary ${size}`);

    message = next(ws, 'message');
    ws.send('é'.repeat(size));
    check((await message).data === 'é'.repeat(size), `text ${size}`);
  }
  let close = next(ws, 'close');
  ws.close(4001, 'bye');
  let event = await close;
  check(event.code === 4001 && event.reason === 'bye' && event.wasClean, 'own close');

  const second = await connect();
  close = next(second, 'close');
  second.send('close me');
  event = await close;
  check(event.code === 4002 && event.reason === 'as asked' && event.wasClean, "server's close");
}

/** An expression for what a chart shows. */
function pixels(chart) {
  return `document.querySelector('[data-chart=${chart}] canvas').toDataURL()`;
}

async function startDemo(t) {
  const server = path.join(__dirname, '..', '..', 'examples', 'demo', 'server.js');
  const child = spawn(process.execPath, [server], {
    env: { ...process.env, PORT: '0', HOST: '127.0.0.1' },
    stdio: ['ignore', 'pipe', 'inherit']
  });
  t.after(async () => {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the demo server ended with ${code}`);
  });
  ended.catch(() => {});
  const [line] = await Promise.race([
    once(readline.createInterface({ input: child.stdout }), 'line'),
    ended
  ]);
  return /http:\S+/.exec(line)[0];
}

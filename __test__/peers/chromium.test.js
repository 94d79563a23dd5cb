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
const { page, talk, watch } = require('./chromium-page.js');

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
    // hawser answers plain requests on its own port; ws needs a server for that
    const server = isOtherImpl ? http.createServer(page) : null;
    const wss = new WebSocketServer(server ? { server } : { port: 0, host: '127.0.0.1' });
    if (!server) wss.on('request', page);
    const seen = watch(wss);
    server?.listen(0, '127.0.0.1');
    await once(wss, 'listening');
    t.after(() => {
      wss.close();
      server?.close();
      server?.closeAllConnections();
    });

    await talk(browser, `http://127.0.0.1:${wss.address().port}/`, seen);
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

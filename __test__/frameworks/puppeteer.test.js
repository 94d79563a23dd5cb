'use strict';

// puppeteer-core drives Chromium: its connection to the browser's DevTools is a WebSocket.

const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { describe, before, after } = require('node:test');
const { serve, echo, within } = require('../support/helpers.js');
const { findChromium } = require('../support/cdp.js');
const { needPeer } = require('../peers/need-peer.js');
const { frameworkTest, load } = require('./support/load.js');
const { listen } = require('./support/http.js');

const HINT = 'Chromium is missing: apt-get install chromium, or set CHROMIUM to its path';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update'
];

const puppeteer = load('puppeteer-core');
const executablePath = findChromium();

describe('puppeteer-core', () => {
  let browser;
  let userDataDir;

  before(async () => {
    if (!executablePath || !puppeteer.launch) return;
    userDataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'hawser-puppeteer-'));
    browser = await puppeteer.launch({ executablePath, userDataDir, args: FLAGS });
  });

  after(async () => {
    await browser?.close();
    if (userDataDir) {
      const patience = { maxRetries: 10, retryDelay: 100 };
      fs.rmSync(userDataDir, { recursive: true, force: true, ...patience });
    }
  });

  /** A test with a page of its own. */
  function pageTest(title, fn) {
    frameworkTest(title, { timeout: 60_000 }, async (t) => {
      if (!needPeer(t, executablePath, HINT)) return;
      const page = await browser.newPage();
      t.after(() => page.close());
      await fn(t, page);
    });
  }

  pageTest('calls with their answers, small and large', async (t, page) => {
    await page.setContent('<title>test</title><p>Grüße</p>');
    assert.strictEqual(await page.title(), 'test');
    assert.strictEqual(await page.$eval('p', (element) => element.textContent), 'Grüße');
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => page.evaluate((n) => n * n, i))
    );
    assert.deepStrictEqual(
      answers,
      Array.from({ length: 200 }, (_, i) => i * i)
    );
    const text = 'é'.repeat(2_000_000);
    assert(text === (await page.evaluate((it) => it, text)));
    await assert.rejects(
      page.evaluate(() => {
        throw new Error('in the page');
      }),
      /in the page/
    );
  });

  pageTest('a click, and the page calls back', async (t, page) => {
    await page.setContent('<button onclick="tell(this.textContent)">press me</button>');
    const told = within(
      new Promise((resolve) => page.exposeFunction('tell', resolve)),
      'the call of the page'
    );
    await page.click('button');
    assert.strictEqual(await told, 'press me');
  });

  pageTest('a screenshot', async (t, page) => {
    await page.setViewport({ width: 1000, height: 4000 });
    await page.setContent('<body style="background: linear-gradient(red, blue)">');
    const picture = await page.screenshot({ fullPage: true });
    const head = Buffer.from(picture.subarray(0, 24));
    assert.strictEqual(head.toString('latin1', 1, 4), 'PNG');
    assert.deepStrictEqual([head.readUInt32BE(16), head.readUInt32BE(20)], [1000, 4000]);
  });

  pageTest('navigation, requests, and the WebSocket of a page', async (t, page) => {
    const server = http.createServer((req, res) => {
      res.setHeader('Content-Type', 'text/html').end('<title>served</title>');
    });
    const url = `http://${await listen(t, server)}/`;
    const requests = [];
    page.on('request', (request) => requests.push([request.method(), request.url()]));
    const response = await page.goto(url);
    assert.strictEqual(response.status(), 200);
    assert.strictEqual(await page.title(), 'served');
    assert.deepStrictEqual(requests[0], ['GET', url]);

    const wss = await serve(t, {}, echo);
    const answer = await page.evaluate(
      (to) =>
        new Promise((resolve, reject) => {
          const ws = new globalThis.WebSocket(to);
          ws.onerror = () => reject(new Error('no connection'));
          ws.onopen = () => ws.send('from the page');
          ws.onmessage = ({ data }) => resolve(data);
        }),
      wss.testUrl
    );
    assert.strictEqual(answer, 'from the page');
  });

  frameworkTest('a second connection, and its end', { timeout: 60_000 }, async (t) => {
    if (!needPeer(t, executablePath, HINT)) return;
    const second = await puppeteer.connect({ browserWSEndpoint: browser.wsEndpoint() });
    const disconnected = new Promise((resolve) => second.once('disconnected', resolve));
    assert.strictEqual(await second.version(), await browser.version());
    await second.disconnect();
    await within(disconnected, "'disconnected'");
    assert.strictEqual(second.connected, false);
    assert.strictEqual(browser.connected, true);
  });
});

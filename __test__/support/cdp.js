'use strict';

// Drives a headless Chromium over the DevTools protocol: JSON messages, each ended by a NUL byte,
// on file descriptors 3 (to the browser) and 4 (from it).

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { once } = require('node:events');
const { spawn } = require('node:child_process');
const { setTimeout: delay } = require('node:timers/promises');

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const POLL_MS = 50;
const CLOSE_TIMEOUT_MS = 5000;

/** The path of a Chromium: `$CHROMIUM`, or the first usual place that has one, or undefined. */
function findChromium() {
  const paths = process.env.CHROMIUM ? [process.env.CHROMIUM] : PATHS;
  return paths.find((file) => fs.existsSync(file));
}

class Browser {
  /** Starts `executable`, with `flags` beside those of all tests. */
  static async launch(executable, flags = []) {
    const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'hawser-chromium-'));
    const child = spawn(
      executable,
      [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--disable-quic',
        '--disable-sync',
        '--disable-background-networking',
        '--disable-component-update',
        '--no-first-run',
        `--user-data-dir=${profile}`,
        '--remote-debugging-pipe',
        ...flags
      ],
      { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] }
    );
    await once(child, 'spawn');
    return new Browser(child, profile);
  }

  constructor(child, profile) {
    this._child = child;
    this._profile = profile;
    this._lastId = 0;
    this._calls = new Map();
    this._unread = '';
    this._exited = once(child, 'exit');
    child.stdio[3].on('error', () => {}); // the exit is reported, not the broken pipe
    child.stdio[4].setEncoding('utf8').on('data', (chunk) => this._onData(chunk));
    child.once('exit', () => {
      for (const { reject } of this._calls.values()) reject(new Error('Chromium has exited'));
    });
  }

  /** Opens a page of `width` x `height` CSS pixels. */
  async open(url, { width = 1280, height = 800, dark = false } = {}) {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, sessionId);
    const isPhone = width < 600;
    await page.send('Emulation.setDeviceMetricsOverride', {
      width,
      height,
      deviceScaleFactor: isPhone ? 2 : 1,
      mobile: isPhone
    });
    await page.send('Emulation.setEmulatedMedia', {
      features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }]
    });
    await page.send('Page.navigate', { url });
    await page.waitFor(`document.readyState === 'complete' && location.href !== 'about:blank'`);
    return page;
  }

  send(method, params = {}, sessionId = undefined) {
    const id = ++this._lastId;
    this._child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this._calls.set(id, { resolve, reject }));
  }

  async close() {
    const killTimer = setTimeout(() => this._child.kill('SIGKILL'), CLOSE_TIMEOUT_MS);
    this.send('Browser.close').catch(() => {}); // it may have exited already
    await this._exited;
    clearTimeout(killTimer);
    fs.rmSync(this._profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  _onData(chunk) {
    const messages = (this._unread + chunk).split('\0');
    this._unread = messages.pop();
    for (const json of messages) {
      const { id, result, error } = JSON.parse(json);
      const call = this._calls.get(id);
      if (!call) continue; // an event
      this._calls.delete(id);
      if (error) call.reject(new Error(error.message));
      else call.resolve(result);
    }
  }
}

class Page {
  constructor(browser, sessionId) {
    this._browser = browser;
    this._sessionId = sessionId;
  }

  send(method, params) {
    return this._browser.send(method, params, this._sessionId);
  }

  /** The value of a JavaScript expression in the page; a promise is awaited. */
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true
    });
    if (exceptionDetails) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    }
    return result.value;
  }

  /** Waits until the expression is truthy, and returns its value. */
  async waitFor(expression, timeoutMs = 10_000) {
    const end = Date.now() + timeoutMs;
    for (;;) {
      const value = await this.evaluate(expression);
      if (value) return value;
      if (Date.now() > end) throw new Error(`not true within ${timeoutMs} ms: ${expression}`);
      await delay(POLL_MS);
    }
  }

  /** Clicks in the middle of the element, as a mouse does. */
  async click(selector) {
    const { x, y } = await this.evaluate(`(() => {
      const element = document.querySelector(${JSON.stringify(selector)});
      element.scrollIntoView({ block: 'center' });
      const { x, y, width, height } = element.getBoundingClientRect();
      return { x: x + width / 2, y: y + height / 2 };
    })()`);
    const event = { x, y, button: 'left', clickCount: 1 };
    await this.send('Input.dispatchMouseEvent', { type: 'mousePressed', ...event });
    await this.send('Input.dispatchMouseEvent', { type: 'mouseReleased', ...event });
  }

  /** Replaces the text of an input by typing. */
  async type(selector, text) {
    await this.evaluate(`document.querySelector(${JSON.stringify(selector)}).select()`);
    await this.send('Input.insertText', { text });
  }

  async screenshot(file) {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png' });
    fs.writeFileSync(file, data, 'base64');
  }
}

module.exports = { Browser, findChromium };

'use strict';

// What a page in Chromium and a server say to each other.

const assert = require('node:assert');

/** Answers a plain request with a page from which to connect. */
function page(req, res) {
  res.setHeader('Content-Type', 'text/html').end('<title>test</title>');
}

/** Has `wss` do its part. */
function watch(wss) {
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
  return { pongs, closes, allClosed };
}

/** Opens the page at `url` and has it do its part; `seen` is from `watch`. */
async function talk(browser, url, { pongs, closes, allClosed }) {
  const opened = await browser.open(url);
  await opened.evaluate(`(${inPage})()`);
  await allClosed;
  assert.deepStrictEqual(closes, [
    [4001, 'bye'],
    [4002, 'as asked']
  ]);
  assert.deepStrictEqual(pongs, ['hello', 'hello']);
}

/** Runs in the page. */
async function inPage() {
  const next = (ws, type) =>
    new Promise((resolve, reject) => {
      ws.addEventListener(type, resolve, { once: true });
      ws.addEventListener('error', () => reject(new Error(`error before ${type}`)), { once: true });
    });
  const connect = async (protocols) => {
    const ws = new WebSocket(
      `${location.protocol.replace('http', 'ws')}//${location.host}/`,
      protocols
    );
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

module.exports = { page, talk, watch };

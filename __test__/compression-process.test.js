'use strict';

// Processes and workers that end while large messages are being compressed.

const assert = require('node:assert');
const { DESCRIPTOR } = require('./support/carriers');
const { child } = require('./support/child');
const { connect, echo, hawserTest, messages, once, serve, test } = require('./support/helpers');
const { next, start } = require('./support/worker');

/** Message `i`: 250 KB that become a tenth of it. */
const text = (i) => Array.from({ length: 16384 }, (_, k) => `${i}: line ${k}`).join('\n');
const BODY = `const text = ${text};`;

const COMPRESSED = { perMessageDeflate: true };

/** What `ws` receives until it is gone: the messages, and the code. */
async function collected(ws) {
  const list = [];
  ws.on('message', (data) => list.push(String(data)));
  const [code] = await once(ws, 'close');
  return { list, code };
}

/** A server, and what its next client sends. */
async function collector(t) {
  const wss = await serve(t, COMPRESSED);
  const sent = once(wss, 'connection').then(([ws]) => {
    assert.strictEqual(ws.extensions, 'permessage-deflate');
    return collected(ws);
  });
  sent.catch(() => {});
  return { url: wss.testUrl, sent };
}

/** Messages from the first on, none missing and in their order. */
function assertTexts(list) {
  list.forEach((data, i) => assert.ok(data === text(i), `message ${i}`));
}

async function assertExit(exit) {
  const { code, signal, stderr } = await exit;
  assert.deepStrictEqual([code, signal, stderr], [0, null, '']);
}

test('a client that closes after its messages sends all of them before its process ends', async (t) => {
  const { url, sent } = await collector(t);
  const { exit } = child(
    t,
    `${BODY}
    const ws = createClient(arg);
    ws.on('open', () => {
      for (let i = 0; i < 20; i++) ws.send(text(i));
      ws.close(1000);
    });`,
    url
  );
  const { list, code } = await sent;
  assert.deepStrictEqual([list.length, code], [20, 1000]);
  assertTexts(list);
  await assertExit(exit);
});

test('a server that closes after its messages sends all of them before its process ends', async (t) => {
  const { exit, said } = child(
    t,
    `${BODY}
    const wss = createServer({ perMessageDeflate: true });
    wss.on('listening', () => say('listening', wss.testUrl));
    wss.on('connection', (ws) => {
      for (let i = 0; i < 20; i++) ws.send(Buffer.from(text(i)));
      ws.close(4000);
      wss.close();
    });`
  );
  const [, url] = (await said('listening')).split(' ');
  const { list, code } = await collected(await connect(t, url));
  assert.deepStrictEqual([list.length, code], [20, 4000]);
  assertTexts(list);
  await assertExit(exit);
});

for (const [title, ends] of [
  ['at once', 'process.exit();'],
  ['in the midst of it', 'setTimeout(process.exit, 15, 0);'],
  ['in the callback of the last one', 'ws.send(text(40), () => process.exit());']
]) {
  test(`process.exit ${title}: no more than the end is missing`, async (t) => {
    const { url, sent } = await collector(t);
    const { exit } = child(
      t,
      `${BODY}
      const ws = createClient(arg);
      ws.on('open', () => {
        for (let i = 0; i < 40; i++) ws.send(text(i));
        ${ends}
      });`,
      url
    );
    const { list, code } = await sent;
    assertTexts(list);
    assert.strictEqual(code, 1006);
    await assertExit(exit);
  });
}

hawserTest('what was sent before process.exit() arrives', { carriers: DESCRIPTOR }, async (t) => {
  const { url, sent } = await collector(t);
  const { exit } = child(
    t,
    `${BODY}
    const ws = createClient(arg);
    ws.on('open', () => {
      for (let i = 0; i < 4; i++) ws.send(text(i));
      ws.close(1001);
      process.exit();
    });`,
    url
  );
  const { list, code } = await sent;
  assert.deepStrictEqual([list.length, code], [4, 1001]);
  assertTexts(list);
  await assertExit(exit);
});

test('listeners of exit that send do not each wait for what takes long', async (t) => {
  const { url, sent } = await collector(t);
  const { exit } = child(
    t,
    // letters among which zlib's highest level looks for a match for long
    `const { randomBytes } = require('crypto');
    const slow = randomBytes(64 << 20).map((byte) => 97 + (byte & 1));
    const zlibDeflateOptions = { level: 9, memLevel: 9 };
    const ws = createClient(arg, { perMessageDeflate: { zlibDeflateOptions } });
    ws.on('open', () => {
      ws.send(slow);
      process.exit();
    });
    process.on('exit', () => { for (let i = 0; i < 20; i++) ws.send('late'); });`,
    url
  );
  assert.strictEqual((await sent).code, 1006);
  await assertExit(exit);
});

const SENDER = `${BODY}
  const go = (ws) => {
    for (let i = 0; i < 40; i++) ws.send(i % 2 ? text(i) : Buffer.from(text(i)));
    post('sent');
  };`;

/** Terminates workers that send, while a connection of the main thread goes on. */
async function assertOthersGoOn(t, peerOfWorker) {
  const wss = await serve(t, COMPRESSED, echo);
  const own = await connect(t, wss.testUrl);
  for (let round = 0; round < 6; round++) {
    const { worker, sent } = await peerOfWorker();
    assert.strictEqual(await next(worker), 'sent');
    const echoed = messages(own, 1);
    own.send(text(round));
    await worker.terminate();
    const { list, code } = await sent;
    assertTexts(list);
    assert.strictEqual(code, 1006);
    assert.ok(String((await echoed)[0][0]) === text(round));
  }
}

test('a worker with a client that is terminated in the midst of it', async (t) => {
  await assertOthersGoOn(t, async () => {
    const { url, sent } = await collector(t);
    const body = `${SENDER}
      const ws = createClient(data);
      ws.on('error', () => {});
      ws.on('open', () => go(ws));`;
    return { worker: start(t, body, url), sent };
  });
});

test('a worker with a server that is terminated in the midst of it', async (t) => {
  await assertOthersGoOn(t, async () => {
    const worker = start(
      t,
      `${SENDER}
      const wss = createServer({ perMessageDeflate: true });
      wss.on('listening', () => post(wss.testUrl));
      wss.on('connection', go);`
    );
    const client = await connect(t, await next(worker));
    return { worker, sent: collected(client) };
  });
});

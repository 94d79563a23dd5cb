'use strict';

// Compressed messages between two ends of the implementation: sizes, order, callbacks, ends.

const assert = require('node:assert');
const { randomBytes } = require('node:crypto');
const { pipeline } = require('node:stream/promises');
const { createWebSocketStream } = require('./support/impl');
const {
  connect,
  echo,
  messages,
  once,
  pair,
  record,
  serve,
  test,
  until,
  within
} = require('./support/helpers');
const { OP } = require('./support/raw-peer');
const { Takeover, deflateWire, prose } = require('./support/deflate');

const ALONE = { serverNoContextTakeover: true, clientNoContextTakeover: true };

/** A pair that has agreed on the extension. */
async function deflatePair(t, perMessageDeflate = true, options = {}) {
  const both = await pair(
    t,
    { perMessageDeflate, ...options },
    { perMessageDeflate: true, ...options }
  );
  assert.strictEqual(both.client.extensions, 'permessage-deflate');
  return both;
}

for (const [title, perMessageDeflate] of [
  ['context takeover', true],
  ['no context takeover', ALONE],
  ['windows of 9 bits', { serverMaxWindowBits: 9, clientMaxWindowBits: 9 }]
]) {
  for (const size of [0, 1, 125, 126, 1023, 1024, 65535, 65536, 1 << 20, 5 << 20]) {
    test(`${title}: ${size} bytes there and back, text and random bytes`, async (t) => {
      const { client, peer } = await deflatePair(t, perMessageDeflate);
      echo(peer);
      const bytes = randomBytes(size);
      const got = messages(client, 4);
      for (let i = 0; i < 2; i++) {
        client.send(bytes);
        client.send(prose(size));
      }
      (await got).forEach(([data, isBinary], i) => {
        assert.strictEqual(isBinary, i % 2 === 0);
        assert.ok(Buffer.isBuffer(data));
        assert.ok(data.equals(isBinary ? bytes : Buffer.from(prose(size))));
      });
    });
  }
}

test("the options of ws's README", async (t) => {
  const options = {
    zlibDeflateOptions: { chunkSize: 1024, memLevel: 7, level: 3 },
    zlibInflateOptions: { chunkSize: 10 * 1024 },
    clientNoContextTakeover: true,
    serverNoContextTakeover: true,
    serverMaxWindowBits: 10,
    concurrencyLimit: 10,
    threshold: 1024
  };
  const { client, peer } = await deflatePair(t, options);
  echo(peer);
  const list = ['short', prose(1024), prose(200000), prose(1024)];
  const got = messages(client, list.length);
  for (const text of list) client.send(text);
  assert.deepStrictEqual(
    (await got).map(([data]) => String(data)),
    list
  );
});

test('1,000 messages of all kinds keep their order, with pings and pongs', async (t) => {
  const { client, peer } = await deflatePair(t, true, { autoPong: false });
  for (const [from, to] of [
    [client, peer],
    [peer, client]
  ]) {
    const expected = [];
    const log = record(to, ['message', 'ping', 'pong']);
    const sizes = [10, 2000, 0, 50000, 1, 126, 300000, 7];
    for (let i = 0; i < 1000; i++) {
      const text = `${i} ${prose(i % 50 ? sizes[i % 3] : sizes[i % 8])}`;
      const options = { compress: i % 3 !== 0, binary: i % 4 === 0 };
      if (i % 7 === 0) {
        from.ping(String(i));
        expected.push(['ping', String(i), undefined]);
      } else if (i % 11 === 0) {
        from.pong(String(i));
        expected.push(['pong', String(i), undefined]);
      } else if (i % 13 === 0) {
        from.send(text.slice(0, 3), { ...options, fin: false });
        from.send(text.slice(3), { ...options, fin: true });
        expected.push(['message', text, options.binary]);
      } else {
        from.send(i % 17 ? text : new Blob([text]), options);
        expected.push(['message', text, options.binary]);
      }
    }
    await until(() => log.length === expected.length, 'all events');
    log.forEach(([name, data, isBinary], i) => {
      assert.deepStrictEqual([name, String(data), isBinary], expected[i], `event ${i}`);
    });
  }
});

test('a ping, and close(), wait for the large message before them', async (t) => {
  const { client, peer } = await deflatePair(t);
  const log = record(peer, ['message', 'ping', 'close']);
  client.send(prose(5 << 20));
  client.ping('after');
  client.send(randomBytes(1 << 20));
  client.send('plain', { compress: false });
  client.close(1000, 'done');
  const closed = once(client, 'close');
  await until(() => log.at(-1)?.[0] === 'close', "'close'");
  assert.deepStrictEqual(
    log.map(([name, data]) => [name, name === 'message' ? data.length : String(data)]),
    [
      ['message', 5 << 20],
      ['ping', 'after'],
      ['message', 1 << 20],
      ['message', 5],
      ['close', '1000']
    ]
  );
  assert.deepStrictEqual(await closed, [1000, Buffer.from('done')]);
});

test('callbacks: each once, without an error, in the order of the calls', async (t) => {
  const { client, peer } = await deflatePair(t);
  const calls = [];
  let isSync = true;
  const callback = (i) => (err) => {
    assert.strictEqual(isSync, false);
    calls.push([i, err ?? undefined]);
  };
  const got = messages(peer, 40);
  for (let i = 0; i < 40; i++) {
    if (i % 5 === 0) client.ping('', true, callback(`ping ${i}`));
    client.send(prose(i % 3 ? 100 : 100000), { compress: i % 4 !== 0 }, callback(i));
  }
  isSync = false;
  await until(() => calls.length === 48, 'the callbacks');
  await got;
  const expected = Array.from({ length: 40 }, (_, i) => (i % 5 ? [i] : [`ping ${i}`, i])).flat();
  assert.deepStrictEqual(
    calls,
    expected.map((i) => [i, undefined])
  );
});

test('bufferedAmount counts what is not compressed yet, and returns to 0', async (t) => {
  const { client, peer } = await deflatePair(t);
  assert.strictEqual(client.bufferedAmount, 0);
  const got = messages(peer, 4);
  client.send(prose(1 << 20));
  assert.ok(client.bufferedAmount >= 1 << 20);
  client.send(Buffer.alloc(1 << 20));
  client.send(new Blob(['x'.repeat(1 << 20)]));
  client.send('text');
  assert.ok(client.bufferedAmount >= 3 << 20);
  await got;
  await until(() => client.bufferedAmount === 0, 'bufferedAmount 0');
});

test('terminate() while large messages are compressed: each callback is called', async (t) => {
  for (let round = 0; round < 5; round++) {
    const { client, peer } = await deflatePair(t);
    peer.on('error', () => {});
    const errors = [];
    const closed = Promise.all([once(client, 'close'), once(peer, 'close')]);
    for (let i = 0; i < 10; i++) client.send(randomBytes(1 << 20), (err) => errors.push(err));
    client.ping('', true, (err) => errors.push(err));
    client.terminate();
    const [[code], [peerCode]] = await closed;
    assert.deepStrictEqual([code, peerCode], [1006, 1006]);
    await until(() => errors.length === 11, 'the callbacks');
    // the first ones may have been written by then
    const failed = errors.slice(errors.findIndex((err) => err instanceof Error));
    assert.ok(failed.length > 1 && failed.every((err) => err instanceof Error));
  }
});

test('the peer goes while large messages are compressed: every callback is called', async (t) => {
  const { client, peer } = await deflatePair(t);
  const calls = [];
  const closed = once(client, 'close');
  for (let i = 0; i < 20; i++) client.send(randomBytes(1 << 20), (err) => calls.push(err));
  peer.terminate();
  await closed;
  await until(() => calls.length === 20, 'the callbacks');
  assert.ok(calls.at(-1) instanceof Error);
});

test('close() of both ends right after large messages: all arrive', async (t) => {
  const { client, peer } = await deflatePair(t);
  const logs = [client, peer].map((ws) => record(ws, ['message', 'close']));
  for (const ws of [client, peer]) {
    for (let i = 0; i < 5; i++) ws.send(prose((1 << 20) + i));
    ws.close(1000);
  }
  await until(() => logs.every((log) => log.at(-1)?.[0] === 'close'), "both 'close'");
  for (const log of logs) {
    assert.deepStrictEqual(
      log.map(([name, data]) => (name === 'message' ? data.length : data)),
      [0, 1, 2, 3, 4].map((i) => (1 << 20) + i).concat(1000)
    );
  }
});

test('pause() and resume(): nothing meanwhile, then all in order', async (t) => {
  const { wss, ws, raw } = await deflateWire(t, 'server');
  const bystander = await connect(t, wss.testUrl);
  wss.clients.forEach((one) => one !== ws && echo(one));
  const log = record(ws, ['message', 'ping']);
  const history = new Takeover();
  ws.pause();
  for (let i = 0; i < 50; i++) {
    raw.send(OP.TEXT, history.deflate(`${i} ${prose(1000)}`), { rsv1: true });
  }
  raw.send(OP.PING, 'last');
  for (let i = 0; i < 10; i++) {
    const got = messages(bystander, 1);
    bystander.send('round trip');
    await got;
  }
  assert.deepStrictEqual(log, []);
  ws.resume();
  await until(() => log.length === 51);
  log.slice(0, 50).forEach(([name, data], i) => {
    assert.deepStrictEqual([name, String(data)], ['message', `${i} ${prose(1000)}`]);
  });
  assert.deepStrictEqual(log[50], ['ping', Buffer.from('last')]);
});

test('createWebSocketStream: 5 MiB there and back', async (t) => {
  const { client, peer } = await deflatePair(t);
  const server = createWebSocketStream(peer);
  pipeline(server, server).catch(() => {});
  const stream = createWebSocketStream(client);
  const data = Buffer.concat([Buffer.from(prose(2 << 20)), randomBytes(3 << 20)]);
  const chunks = [];
  const done = new Promise((resolve, reject) => {
    let length = 0;
    stream.on('error', reject);
    stream.on('data', (chunk) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length === data.length) resolve();
    });
  });
  for (let at = 0; at < data.length; at += 70000) stream.write(data.subarray(at, at + 70000));
  await within(done, 'the data');
  assert.ok(Buffer.concat(chunks).equals(data));
  stream.end();
});

test('50 connections at once, each with a history of its own', async (t) => {
  const wss = await serve(t, { perMessageDeflate: { threshold: 0 } }, echo);
  await Promise.all(
    Array.from({ length: 50 }, async (_, n) => {
      const client = await connect(t, wss.testUrl);
      const sent = Array.from({ length: 20 }, (_, i) => `${n} ${i % 4} ${prose(n * 40 + i)}`);
      const got = messages(client, sent.length, 15000);
      for (const text of sent) client.send(text);
      assert.deepStrictEqual(
        (await got).map(([data]) => String(data)),
        sent
      );
    })
  );
});

test('connections that come and go', async (t) => {
  const wss = await serve(t, { perMessageDeflate: true }, echo);
  for (let round = 0; round < 40; round++) {
    const client = await connect(t, wss.testUrl);
    client.send(prose(2000));
    if (round % 4 === 0) {
      client.terminate();
    } else {
      assert.strictEqual(String((await once(client, 'message'))[0]), prose(2000));
      client.close();
    }
    await once(client, 'close');
  }
  await until(() => wss.clients.size === 0);
});

test('broadcast: one Buffer to all, compressed for each', async (t) => {
  const wss = await serve(t, { perMessageDeflate: true });
  const clients = [];
  for (let i = 0; i < 10; i++) {
    clients.push(await connect(t, wss.testUrl, { perMessageDeflate: i % 3 !== 0 }));
  }
  const got = Promise.all(clients.map((client) => messages(client, 2)));
  const data = Buffer.from(prose(20000));
  for (let i = 0; i < 2; i++) wss.clients.forEach((ws) => ws.send(data));
  for (const list of await got) {
    for (const [received, isBinary] of list) assert.ok(isBinary && received.equals(data));
  }
  assert.strictEqual(String(data), prose(20000));
});

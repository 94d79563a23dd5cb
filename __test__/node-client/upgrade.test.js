'use strict';

const assert = require('node:assert');
const http = require('node:http');
const WebSocket = require('../support/impl');
const { once, record, until } = require('../support/helpers');
const { OP, closePayload } = require('../support/raw-peer');
const { TOO_EARLY, connect, converse, dial, eachWay, failure } = require('./support/clients');
const { switching, upgradeServer } = require('./support/servers');

/** An answer: the 101 and `frames(peer)` in one write. */
function withFrames(frames) {
  return (peer, req) => peer.write(Buffer.concat([Buffer.from(switching(req)), ...frames(peer)]));
}

eachWay("'upgrade' has the response and comes before 'open', in its tick", async (t, options) => {
  const fields = ['X-Extra: yes', 'Set-Cookie: a=1', 'Set-Cookie: b=2'];
  const server = await upgradeServer(t, {
    answer: (peer, req) => peer.write(switching(req, fields))
  });
  const client = dial(t, server.url, options());
  const order = [];
  let later = false;
  client.on('upgrade', (...args) => {
    const [res, ...rest] = args;
    order.push('upgrade', client.readyState);
    assert.deepStrictEqual(rest, []);
    assert.ok(res instanceof http.IncomingMessage);
    assert.strictEqual(res.statusCode, 101);
    assert.strictEqual(res.statusMessage, 'Switching Protocols');
    assert.strictEqual(res.httpVersion, '1.1');
    assert.strictEqual(res.headers.upgrade, 'websocket');
    assert.strictEqual(res.headers['x-extra'], 'yes');
    assert.deepStrictEqual(res.headers['set-cookie'], ['a=1', 'b=2']);
    assert.deepStrictEqual(res.rawHeaders.slice(-6, -4), ['X-Extra', 'yes']);
    process.nextTick(() => (later = true));
  });
  client.on('open', () => {
    order.push('open', client.readyState);
    assert.strictEqual(later, false);
  });
  await once(client, 'open');
  assert.deepStrictEqual(order, ['upgrade', WebSocket.CONNECTING, 'open', WebSocket.OPEN]);
  await converse(client, await server.next());
});

eachWay("'upgrade': the response's socket is that of the client", async (t, options) => {
  const server = await upgradeServer(t);
  const client = dial(t, server.url, options());
  const [res] = await once(client, 'upgrade');
  if (client.readyState === WebSocket.CONNECTING) await once(client, 'open');
  assert.strictEqual(res.socket, client._socket);
  assert.strictEqual(res.socket.remotePort, server.port);
});

eachWay("'upgrade' comes before the response is judged", async (t, options) => {
  const answer = (peer) =>
    peer.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n');
  const server = await upgradeServer(t, { answer });
  const client = dial(t, server.url, options());
  const log = record(client, ['upgrade']);
  const err = await failure(client, { sameTick: false });
  assert.strictEqual(err.message, 'Invalid Upgrade header');
  assert.strictEqual(log.length, 1);
});

for (const method of ['close', 'terminate']) {
  eachWay(`${method}() in a listener of 'upgrade'`, async (t, options) => {
    const server = await upgradeServer(t);
    const client = dial(t, server.url, options());
    client.on('upgrade', () => client[method]());
    assert.strictEqual((await failure(client)).message, TOO_EARLY);
    const peer = await server.next();
    await peer.end();
    assert.strictEqual(peer.data.length, 0);
  });
}

eachWay("frames in the packet of the 101 arrive after 'open', in order", async (t, options) => {
  const answer = withFrames((peer) => [
    peer.build(OP.TEXT, 'one'),
    peer.build(OP.PING, 'p'),
    peer.build(OP.BINARY, 'two'),
    peer.build(OP.PONG, 'q'),
    peer.build(OP.CLOSE, closePayload(1000, 'end'))
  ]);
  const server = await upgradeServer(t, { answer });
  const names = ['open', 'message', 'ping', 'pong', 'close', 'error'];
  const log = record(dial(t, server.url, options()), names);
  await until(() => log.at(-1)?.[0] === 'close');
  assert.deepStrictEqual(log, [
    ['open'],
    ['message', Buffer.from('one'), false],
    ['ping', Buffer.from('p')],
    ['message', Buffer.from('two'), true],
    ['pong', Buffer.from('q')],
    ['close', 1000, Buffer.from('end')]
  ]);
});

eachWay("a listener added in 'open' gets the frames of that packet", async (t, options) => {
  const server = await upgradeServer(t, {
    answer: withFrames((peer) => [peer.build(OP.TEXT, 'early')])
  });
  const client = dial(t, server.url, options());
  const received = new Promise((resolve) => {
    client.on('open', () => client.on('message', (data) => resolve(String(data))));
  });
  assert.strictEqual(await received, 'early');
});

eachWay('the packet of the 101 ends within a frame', async (t, options) => {
  let rest;
  const answer = (peer, req) => {
    const frame = peer.build(OP.TEXT, 'parted');
    rest = frame.subarray(3);
    peer.write(Buffer.concat([Buffer.from(switching(req)), frame.subarray(0, 3)]));
  };
  const server = await upgradeServer(t, { answer });
  const client = await connect(t, server.url, options());
  const received = once(client, 'message');
  (await server.next()).write(rest);
  assert.deepStrictEqual(await received, [Buffer.from('parted'), false]);
});

eachWay('200 KiB behind the 101 in one write', async (t, options) => {
  const payload = Buffer.alloc(200 << 10, '0123456789');
  const server = await upgradeServer(t, {
    answer: withFrames((peer) => [
      peer.build(OP.BINARY, payload),
      ...Array.from({ length: 1000 }, (_, i) => peer.build(OP.TEXT, `${i}`))
    ])
  });
  const log = record(dial(t, server.url, options()), ['message']);
  await until(() => log.length === 1001);
  assert.ok(log[0][1].equals(payload));
  log.slice(1).forEach(([, data], i) => assert.strictEqual(String(data), `${i}`));
});

eachWay(
  "a malformed frame in the packet of the 101: 'open', then the error",
  async (t, options) => {
    const server = await upgradeServer(t, { answer: withFrames((peer) => [peer.build(3, '')]) });
    const log = record(dial(t, server.url, options()), ['open', 'error', 'close']);
    const peer = await server.next();
    assert.strictEqual(await peer.closeFrame(), 1002);
    await until(() => log.at(-1)?.[0] === 'close');
    assert.deepStrictEqual(
      log.map(([name]) => name),
      ['open', 'error', 'close']
    );
    assert.strictEqual(log[1][1].code, 'WS_ERR_INVALID_OPCODE');
    assert.strictEqual(log[2][1], 1006);
  }
);

eachWay('the 101 and the end of the stream', async (t, options) => {
  const server = await upgradeServer(t, {
    answer: (peer, req) => peer.socket.end(switching(req))
  });
  const log = record(dial(t, server.url, options()), ['open', 'error', 'close']);
  await until(() => log.at(-1)?.[0] === 'close');
  assert.deepStrictEqual(log, [['open'], ['close', 1006, Buffer.alloc(0)]]);
});

eachWay("what 'open' sends first arrives first", async (t, options) => {
  const server = await upgradeServer(t);
  const client = dial(t, server.url, options());
  client.on('open', () => {
    client.send('first');
    client.send(Buffer.from('second'));
    client.close(1000);
  });
  const peer = await server.next();
  assert.strictEqual(String((await peer.frame()).payload), 'first');
  assert.strictEqual(String((await peer.frame()).payload), 'second');
  assert.strictEqual(await peer.closeFrame(), 1000);
});

eachWay("pause() in 'open' holds what came with the 101", async (t, options) => {
  const server = await upgradeServer(t, {
    answer: withFrames((peer) => [peer.build(OP.TEXT, 'held')])
  });
  const client = dial(t, server.url, options());
  const log = record(client, ['message']);
  client.on('open', () => client.pause());
  await once(client, 'open');
  const peer = await server.next();
  client.send('still sending');
  assert.strictEqual(String((await peer.frame()).payload), 'still sending');
  assert.deepStrictEqual(log, []);
  client.resume();
  await until(() => log.length === 1);
  assert.strictEqual(String(log[0][1]), 'held');
});

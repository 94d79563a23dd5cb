'use strict';

// `{ noServer: true }`: the application calls handleUpgrade() itself.

const assert = require('node:assert');
const http = require('node:http');
const WebSocket = require('./support/impl');
const { echo, listen, once, test, turn, until, within } = require('./support/helpers');
const { EXTERNAL, carried } = require('./support/carriers');
const {
  OP,
  acceptFor,
  SAMPLE_KEY,
  rawClient,
  rawConnect,
  upgradeRequest
} = require('./support/raw-peer');

const { WebSocketServer } = WebSocket;
const OPTIONS = { carriers: EXTERNAL };
const TWICE =
  'server.handleUpgrade() was called more than once with the same socket, possibly due to a ' +
  'misconfiguration';

/** A listening http.Server that calls `onUpgrade(req, socket, head)`. */
async function listenForUpgrades(t, onUpgrade) {
  const server = await listen(t);
  server.on('upgrade', (req, socket, head) => onUpgrade(req, carried(socket), head));
  return server;
}

/** The same with a `wss` whose WebSockets are handed to `onSocket(ws, req)`. */
async function upgradingServer(t, options, onSocket = echo) {
  const wss = new WebSocketServer({ noServer: true, ...options });
  const server = await listenForUpgrades(t, (req, socket, head) => {
    wss.handleUpgrade(req, socket, head, (ws) => {
      server.testSockets.add(ws);
      onSocket(ws, req);
    });
  });
  return { wss, server };
}

/** The arguments of the next 'upgrade' listener; the peer has sent its request. */
async function nextUpgrade(t, request) {
  let resolve;
  const upgrade = new Promise((done) => {
    resolve = done;
  });
  const server = await listenForUpgrades(t, (...args) => resolve(args));
  const peer = await rawConnect(t, server.testPort);
  peer.write(upgradeRequest(request));
  const [req, socket, head] = await within(upgrade, "'upgrade'");
  t.after(() => socket.destroy());
  return { server, peer, req, socket, head };
}

function refusal(status, body) {
  return [
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: text/html',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body
  ].join('\r\n');
}

test('the callback gets (ws, req) before handleUpgrade() returns', OPTIONS, async (t) => {
  const { peer, req, socket, head } = await nextUpgrade(t, { path: '/p' });
  const wss = new WebSocketServer({ noServer: true });
  wss.on('connection', () => assert.fail("'connection' is the application's to emit"));
  const calls = [];
  const result = wss.handleUpgrade(req, socket, head, (...args) => {
    calls.push(args);
    assert.strictEqual(wss.clients.has(args[0]), true);
    assert.strictEqual(args[0].readyState, WebSocket.OPEN);
  });
  assert.strictEqual(result, undefined);
  assert.strictEqual(calls.length, 1);
  const [ws, ...rest] = calls[0];
  assert.ok(ws instanceof WebSocket);
  assert.deepStrictEqual(rest, [req]);
  assert.strictEqual(ws._socket, socket);
  assert.strictEqual(
    await peer.head(),
    [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${acceptFor(SAMPLE_KEY)}`
    ].join('\r\n')
  );
  const closed = once(ws, 'close');
  peer.send(OP.CLOSE, '');
  await closed;
  assert.strictEqual(wss.clients.size, 0);
});

test('what the callback sends at once stands behind the 101', OPTIONS, async (t) => {
  const { server } = await upgradingServer(t, {}, (ws) => {
    ws.send('one');
    ws.ping('two');
    ws.send(Buffer.alloc(100000, 3));
    ws.close(1000);
  });
  const peer = await rawClient(t, server.testPort);
  assert.strictEqual(String((await peer.frame()).payload), 'one');
  assert.strictEqual((await peer.frame()).opcode, OP.PING);
  assert.ok((await peer.frame()).payload.equals(Buffer.alloc(100000, 3)));
  assert.strictEqual(await peer.closeFrame(), 1000);
});

for (const [title, act] of [
  ['terminate()', (ws) => ws.terminate()],
  ['destroy() of its socket', (ws) => ws._socket.destroy()]
]) {
  test(`${title} in the callback: the 101 arrives, and the end`, OPTIONS, async (t) => {
    const { wss, server } = await upgradingServer(t, {}, (ws) => {
      ws.send('lost or not');
      act(ws);
    });
    const peer = await rawClient(t, server.testPort);
    await peer.end();
    await until(() => wss.clients.size === 0);
  });
}

test('bytes in head are delivered, after the callback', OPTIONS, async (t) => {
  const { peer, req, socket, head } = await nextUpgrade(t);
  const seen = [];
  const frames = Buffer.concat([peer.build(OP.TEXT, 'one'), peer.build(OP.PING, 'two')]);
  new WebSocketServer({ noServer: true }).handleUpgrade(
    req,
    socket,
    Buffer.concat([head, frames]),
    (ws) => {
      ws.on('message', (data) => seen.push(String(data)));
      ws.on('ping', (data) => seen.push(String(data)));
    }
  );
  assert.deepStrictEqual(seen, []);
  await peer.head();
  peer.send(OP.TEXT, 'three');
  await until(() => seen.length === 3);
  assert.deepStrictEqual(seen, ['one', 'two', 'three']);
});

test('a head that ends inside of a frame', OPTIONS, async (t) => {
  const { peer, req, socket } = await nextUpgrade(t);
  const frame = peer.build(OP.BINARY, Buffer.alloc(70000, 1));
  const wss = new WebSocketServer({ noServer: true });
  wss.handleUpgrade(req, socket, frame.subarray(0, 6), echo);
  await peer.head();
  peer.write(frame.subarray(6));
  assert.ok((await peer.frame()).payload.equals(Buffer.alloc(70000, 1)));
});

test('a large head, with many frames', OPTIONS, async (t) => {
  const { peer, req, socket } = await nextUpgrade(t);
  const frames = Array.from({ length: 2000 }, (_, i) => peer.build(OP.TEXT, `message ${i}`));
  const wss = new WebSocketServer({ noServer: true });
  wss.handleUpgrade(req, socket, Buffer.concat(frames), echo);
  await peer.head();
  for (let i = 0; i < frames.length; i++) {
    assert.strictEqual(String((await peer.frame()).payload), `message ${i}`);
  }
});

test('bytes that Node has read already come after head', OPTIONS, async (t) => {
  const { peer, req, socket, head } = await nextUpgrade(t);
  assert.strictEqual(head.length, 0);
  // a frame and a half are in the socket's own buffer when the application makes up its mind
  const second = peer.build(OP.TEXT, 'three');
  peer.write(Buffer.concat([peer.build(OP.TEXT, 'two'), second.subarray(0, 5)]));
  socket.read(0);
  await until(() => socket.readableLength > 0, 'bytes in the socket');
  const wss = new WebSocketServer({ noServer: true });
  wss.handleUpgrade(req, socket, peer.build(OP.TEXT, 'one'), echo);
  await peer.head();
  peer.write(second.subarray(5));
  for (const text of ['one', 'two', 'three']) {
    assert.strictEqual(String((await peer.frame()).payload), text);
  }
});

test('bytes that were put back with unshift() come after head', OPTIONS, async (t) => {
  const { peer, req, socket } = await nextUpgrade(t);
  socket.unshift(peer.build(OP.TEXT, 'two'));
  const wss = new WebSocketServer({ noServer: true });
  wss.handleUpgrade(req, socket, peer.build(OP.TEXT, 'one'), echo);
  await peer.head();
  peer.send(OP.TEXT, 'three');
  for (const text of ['one', 'two', 'three']) {
    assert.strictEqual(String((await peer.frame()).payload), text);
  }
});

test('a socket that was paused delivers after its resume()', OPTIONS, async (t) => {
  const { peer, req, socket, head } = await nextUpgrade(t);
  socket.pause();
  peer.send(OP.TEXT, 'early');
  await turn();
  const wss = new WebSocketServer({ noServer: true });
  wss.handleUpgrade(req, socket, head, echo);
  socket.resume();
  await peer.head();
  assert.strictEqual(String((await peer.frame()).payload), 'early');
  peer.send(OP.TEXT, 'later');
  assert.strictEqual(String((await peer.frame()).payload), 'later');
});

test('what was written to the socket before stands before the 101', OPTIONS, async (t) => {
  const { peer, req, socket, head } = await nextUpgrade(t);
  socket.write('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n');
  new WebSocketServer({ noServer: true }).handleUpgrade(req, socket, head, echo);
  assert.match(await peer.head(), /^HTTP\/1\.1 103 Early Hints/);
  assert.match(await peer.head(), /^HTTP\/1\.1 101 /);
  peer.send(OP.TEXT, 'x');
  assert.strictEqual(String((await peer.frame()).payload), 'x');
});

test('a large write under way still stands before the 101', OPTIONS, async (t) => {
  const { peer, req, socket, head } = await nextUpgrade(t);
  const SIZE = 16 << 20;
  peer.socket.pause();
  socket.write(`HTTP/1.1 103 Early Hints\r\nX: ${'x'.repeat(SIZE)}\r\n\r\n`);
  assert.ok(socket.writableLength > 0, 'the kernel has not taken it all');
  new WebSocketServer({ noServer: true }).handleUpgrade(req, socket, head, (ws) => {
    echo(ws);
    ws.send('greeting');
  });
  peer.socket.resume();
  await peer.read(() => (peer.received > SIZE ? true : undefined), 'most of it');
  assert.ok((await peer.head()).length > SIZE);
  assert.match(await peer.head(), /^HTTP\/1\.1 101 /);
  assert.strictEqual(String((await peer.frame()).payload), 'greeting');
  peer.send(OP.TEXT, 'x');
  assert.strictEqual(String((await peer.frame()).payload), 'x');
});

test('megabytes right behind the request', OPTIONS, async (t) => {
  const { server } = await upgradingServer(t);
  const peer = await rawConnect(t, server.testPort);
  const payloads = [1, 2, 3].map((byte) => Buffer.alloc(1 << 20, byte));
  const frames = payloads.map((payload) => peer.build(OP.BINARY, payload));
  peer.write(Buffer.concat([Buffer.from(upgradeRequest()), ...frames]));
  assert.match(await peer.head(), /^HTTP\/1\.1 101 /);
  for (const payload of payloads) assert.ok((await peer.frame()).payload.equals(payload));
});

test('the same socket twice throws; the WebSocket goes on', OPTIONS, async (t) => {
  const { peer, req, socket, head } = await nextUpgrade(t);
  const wss = new WebSocketServer({ noServer: true });
  const other = new WebSocketServer({ noServer: true });
  wss.handleUpgrade(req, socket, head, echo);
  const again = (server) => () =>
    server.handleUpgrade(req, socket, head, () => assert.fail('no second WebSocket'));
  assert.throws(again(wss), { name: 'Error', message: TWICE });
  assert.throws(again(other), { name: 'Error', message: TWICE });
  await peer.head();
  peer.send(OP.TEXT, 'unharmed');
  assert.strictEqual(String((await peer.frame()).payload), 'unharmed');
  assert.throws(again(wss), { name: 'Error', message: TWICE });
});

for (const [title, act] of [
  ['destroyed', (socket) => socket.destroy()],
  ['ended', (socket) => socket.end()]
]) {
  test(
    `a socket that is ${title} already: no callback, and it is destroyed`,
    OPTIONS,
    async (t) => {
      const { peer, req, socket, head } = await nextUpgrade(t);
      act(socket);
      const wss = new WebSocketServer({ noServer: true });
      wss.handleUpgrade(req, socket, head, () => assert.fail('no WebSocket expected'));
      assert.strictEqual(socket.destroyed, true);
      assert.strictEqual((await peer.rest()).length, 0);
      assert.strictEqual(wss.clients.size, 0);
    }
  );
}

test('503 once close() was called', OPTIONS, async (t) => {
  const { wss, server } = await upgradingServer(t, {}, () => assert.fail('no WebSocket expected'));
  wss.close();
  const peer = await rawConnect(t, server.testPort);
  peer.write(upgradeRequest());
  assert.strictEqual(String(await peer.rest()), refusal(503, 'Service Unavailable'));
});

test(
  'a refusal is written to the socket that was given, which is then destroyed',
  OPTIONS,
  async (t) => {
    const { peer, req, socket, head } = await nextUpgrade(t, { headers: { Upgrade: 'other' } });
    const closed = once(socket, 'close');
    const wss = new WebSocketServer({ noServer: true });
    wss.handleUpgrade(req, socket, head, () => assert.fail('no WebSocket expected'));
    assert.strictEqual(String(await peer.rest()), refusal(400, 'Invalid Upgrade header'));
    await closed;
    assert.strictEqual(socket.destroyed, true);
  }
);

test("'wsClientError': the listener owns the very socket", OPTIONS, async (t) => {
  const { peer, req, socket, head } = await nextUpgrade(t, { method: 'POST' });
  const wss = new WebSocketServer({ noServer: true });
  const calls = [];
  wss.on('wsClientError', (...args) => calls.push(args));
  wss.handleUpgrade(req, socket, head, () => assert.fail('no WebSocket expected'));
  assert.strictEqual(calls.length, 1);
  const [err, ...rest] = calls[0];
  assert.strictEqual(err.message, 'Invalid HTTP method');
  assert.strictEqual(rest[0], socket);
  assert.strictEqual(rest[1], req);
  await turn();
  assert.strictEqual(socket.destroyed, false);
  assert.strictEqual(peer.data.length, 0);
  // it may be read and written as any other, and an error of it is nobody's
  peer.write('and more');
  const [chunk] = await once(socket, 'data');
  assert.strictEqual(String(chunk), 'and more');
  socket.write('HTTP/1.1 418 Mine\r\n\r\n');
  assert.strictEqual(await peer.head(), 'HTTP/1.1 418 Mine');
  socket.destroy(new Error('broken'));
  await peer.end();
});

for (const verdict of [true, false]) {
  for (const [title, leave] of [
    ['the peer leaves', (peer) => peer.reset()],
    ['the socket is destroyed', (peer, socket) => socket.destroy()],
    ['the socket breaks', (peer, socket) => socket.destroy(new Error('broken'))]
  ]) {
    test(`${title} while verifyClient is pending, then cb(${verdict})`, OPTIONS, async (t) => {
      const { peer, req, socket, head } = await nextUpgrade(t);
      let decide;
      const wss = new WebSocketServer({
        noServer: true,
        verifyClient: (info, cb) => {
          decide = cb;
        }
      });
      wss.handleUpgrade(req, socket, head, () => assert.fail('no WebSocket expected'));
      const closed = new Promise((resolve) => socket.once('close', resolve));
      leave(peer, socket);
      await within(closed, "'close' of the socket");
      decide(verdict);
      await turn();
      assert.strictEqual(wss.clients.size, 0);
    });
  }
}

test('several WebSocketServers share a server by path', OPTIONS, async (t) => {
  const [a, b] = ['/a', '/b'].map((path) => new WebSocketServer({ noServer: true, path }));
  const server = await listenForUpgrades(t, (req, socket, head) => {
    const wss = [a, b].find((candidate) => candidate.shouldHandle(req));
    if (!wss) {
      socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
      return;
    }
    wss.handleUpgrade(req, socket, head, (ws) => wss.emit('connection', ws, req));
  });
  for (const [wss, name] of [
    [a, 'a'],
    [b, 'b']
  ]) {
    wss.on('connection', (ws, req) => {
      server.testSockets.add(ws);
      ws.send(`${name} ${req.url}`);
    });
  }
  const toB = await rawClient(t, server.testPort, { path: '/b?q' });
  const toA = await rawClient(t, server.testPort, { path: '/a' });
  assert.strictEqual(String((await toA.frame()).payload), 'a /a');
  assert.strictEqual(String((await toB.frame()).payload), 'b /b?q');
  assert.deepStrictEqual([a.clients.size, b.clients.size], [1, 1]);
  const lost = await rawConnect(t, server.testPort);
  lost.write(upgradeRequest({ path: '/c' }));
  assert.match(await lost.head(), /^HTTP\/1\.1 404 /);
});

test(
  'WebSocket: the subclass is constructed with (null, undefined, options)',
  OPTIONS,
  async (t) => {
    const calls = [];
    class Custom extends WebSocket {
      constructor(...args) {
        super(...args);
        calls.push(args);
        this.tag = 'custom';
      }
    }
    const sockets = [];
    const { wss, server } = await upgradingServer(t, { WebSocket: Custom }, (ws) =>
      sockets.push(ws)
    );
    await rawClient(t, server.testPort);
    assert.ok(sockets[0] instanceof Custom);
    assert.strictEqual(sockets[0].tag, 'custom');
    assert.strictEqual(calls.length, 1);
    assert.deepStrictEqual(calls[0].slice(0, 2), [null, undefined]);
    assert.strictEqual(calls[0][2], wss.options);
  }
);

test(
  'a listener that throws in the callback: the exception is that of the caller',
  OPTIONS,
  async (t) => {
    const { req, socket, head } = await nextUpgrade(t);
    const wss = new WebSocketServer({ noServer: true });
    const act = () =>
      wss.handleUpgrade(req, socket, head, () => {
        throw new Error('from the callback');
      });
    assert.throws(act, { message: 'from the callback' });
  }
);

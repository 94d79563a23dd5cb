'use strict';

const assert = require('node:assert');
const net = require('node:net');
const WebSocket = require('../support/impl');
const { HOST, messages, once, record, test, until } = require('../support/helpers');
const { WrappedSocket } = require('../support/duplex');
const { OP, closePayload } = require('../support/raw-peer');
const { connect, converse, dial, failure } = require('./support/clients');
const { deadPort, upgradeServer } = require('./support/servers');

const DEAD = `ws://${HOST}:1`;
const PLAIN = { perMessageDeflate: false };

/** A connection to `port` as a Duplex that is no socket. */
function wrapped(port) {
  const socket = net.connect({ port, host: HOST, allowHalfOpen: true });
  return new WrappedSocket(socket, { allowHalfOpen: false });
}

test('is called once, in the constructor, with the options of the request', async (t) => {
  const server = await upgradeServer(t);
  const calls = [];
  const client = dial(t, `ws://name.invalid:7/path?q=1`, {
    ...PLAIN,
    localPort: 0,
    extra: 'kept',
    createConnection: (options) => {
      calls.push(options);
      return net.connect(server.port, HOST);
    }
  });
  assert.strictEqual(calls.length, 1);
  const [{ host, port, localPort, extra, socketPath }] = calls;
  assert.deepStrictEqual(
    { host, port: Number(port), localPort, extra, socketPath },
    { host: 'name.invalid', port: 7, localPort: 0, extra: 'kept', socketPath: undefined }
  );
  await once(client, 'open');
  assert.strictEqual(server.requests[0].headers.host, 'name.invalid:7');
  assert.strictEqual(server.requests[0].url, '/path?q=1');
  assert.strictEqual(calls.length, 1);
});

test('its socket is that of the client', async (t) => {
  const server = await upgradeServer(t);
  let socket;
  const createConnection = (options) => (socket = net.connect(options));
  const client = await connect(t, server.url, { ...PLAIN, createConnection });
  assert.strictEqual(client._socket, socket);
  const peer = await server.next();
  assert.strictEqual(peer.socket.remotePort, client._socket.localPort);
  assert.strictEqual(client._socket.remotePort, server.port);
  await converse(client, peer);
});

test('a socket that is connected already', async (t) => {
  const server = await upgradeServer(t);
  const socket = net.connect(server.port, HOST);
  await once(socket, 'connect');
  const client = await connect(t, DEAD, { ...PLAIN, createConnection: () => socket });
  await converse(client, await server.next());
});

test('the socket comes later, by callback', async (t) => {
  const server = await upgradeServer(t);
  const client = await connect(t, DEAD, {
    ...PLAIN,
    createConnection: (options, callback) => {
      const socket = net.connect(server.port, HOST, () => callback(null, socket));
    }
  });
  await converse(client, await server.next());
});

test('a Duplex that is no socket: messages, ping, pong, closing handshake', async (t) => {
  const server = await upgradeServer(t);
  const duplex = wrapped(server.port);
  const client = await connect(t, DEAD, { ...PLAIN, createConnection: () => duplex });
  const peer = await server.next();
  await converse(client, peer);
  const log = record(client, ['ping', 'pong', 'close', 'error']);
  peer.send(OP.PING, 'p');
  assert.strictEqual((await peer.frame()).opcode, OP.PONG);
  peer.send(OP.PONG, 'q');
  peer.send(OP.CLOSE, closePayload(1001, 'bye'));
  assert.strictEqual(await peer.closeFrame(), 1001);
  await until(() => log.length === 3);
  assert.deepStrictEqual(log, [
    ['ping', Buffer.from('p')],
    ['pong', Buffer.from('q')],
    ['close', 1001, Buffer.from('bye')]
  ]);
  assert.strictEqual(duplex.destroyed, true);
});

test('a Duplex that is no socket: 4 MiB each way', async (t) => {
  const server = await upgradeServer(t);
  const duplex = wrapped(server.port);
  const client = await connect(t, DEAD, { ...PLAIN, createConnection: () => duplex });
  const peer = await server.next();
  const payload = Buffer.alloc(4 << 20, 'abcdefg');
  const received = messages(client, 1);
  peer.send(OP.BINARY, payload);
  client.send(payload);
  assert.ok((await received)[0][0].equals(payload));
  const frame = await peer.frame();
  assert.ok(frame.payload.equals(payload));
});

test('a Duplex that fails: only close 1006', async (t) => {
  const server = await upgradeServer(t);
  const duplex = wrapped(server.port);
  const client = await connect(t, DEAD, { ...PLAIN, createConnection: () => duplex });
  const log = record(client, ['error', 'close']);
  duplex.destroy(new Error('broken'));
  await until(() => log.length > 0);
  assert.deepStrictEqual(log, [['close', 1006, Buffer.alloc(0)]]);
});

test('a Duplex: terminate() destroys it', async (t) => {
  const server = await upgradeServer(t);
  const duplex = wrapped(server.port);
  const client = await connect(t, DEAD, { ...PLAIN, createConnection: () => duplex });
  const closed = once(client, 'close');
  client.terminate();
  assert.strictEqual(duplex.destroyed, true);
  assert.deepStrictEqual(await closed, [1006, Buffer.alloc(0)]);
});

test('a Duplex: bufferedAmount counts what it has not taken', async (t) => {
  const server = await upgradeServer(t);
  const duplex = wrapped(server.port);
  const client = await connect(t, DEAD, { ...PLAIN, createConnection: () => duplex });
  assert.strictEqual(client.bufferedAmount, 0);
  duplex.cork();
  client.send(Buffer.alloc(1000));
  assert.strictEqual(client.bufferedAmount, 1000 + 8);
  duplex.uncork();
  const peer = await server.next();
  assert.strictEqual((await peer.frame()).payload.length, 1000);
  await until(() => client.bufferedAmount === 0);
});

test('what it throws is the error of the client', async (t) => {
  const reason = new Error('thrown');
  const client = dial(t, DEAD, {
    createConnection: () => {
      throw reason;
    }
  });
  assert.strictEqual(client.readyState, WebSocket.CONNECTING);
  assert.strictEqual(await failure(client), reason);
});

test('the error that it calls back with is the error of the client', async (t) => {
  const reason = new Error('called back');
  const createConnection = (options, callback) => void process.nextTick(callback, reason);
  assert.strictEqual(await failure(dial(t, DEAD, { createConnection })), reason);
});

test('a socket that cannot connect', async (t) => {
  const port = await deadPort();
  const createConnection = () => net.connect(port, HOST);
  const err = await failure(dial(t, DEAD, { createConnection }));
  assert.strictEqual(err.code, 'ECONNREFUSED');
  assert.strictEqual(err.port, port);
});

test('a socket that is destroyed with an error while connecting', async (t) => {
  const server = await upgradeServer(t);
  const reason = new Error('enough');
  const createConnection = () => {
    const socket = net.connect(server.port, HOST);
    setImmediate(() => socket.destroy(reason));
    return socket;
  };
  assert.strictEqual(await failure(dial(t, DEAD, { createConnection })), reason);
});

test('a socket that ends without an answer', async (t) => {
  const server = await upgradeServer(t, { answer: (peer) => peer.socket.end() });
  const createConnection = () => net.connect(server.port, HOST);
  const err = await failure(dial(t, DEAD, { createConnection }));
  assert.strictEqual(err.code, 'ECONNRESET');
  assert.strictEqual(err.message, 'socket hang up');
});

test('wss: a stream that is secured elsewhere', async (t) => {
  const server = await upgradeServer(t);
  const client = await connect(t, 'wss://name.invalid/', {
    ...PLAIN,
    createConnection: () => net.connect(server.port, HOST)
  });
  assert.strictEqual(client.url, 'wss://name.invalid/');
  assert.strictEqual(server.requests[0].headers.host, 'name.invalid');
  await converse(client, await server.next());
});

test('an agent wins over createConnection', async (t) => {
  const server = await upgradeServer(t);
  const agent = { addRequest: (req) => req.onSocket(net.connect(server.port, HOST)) };
  const createConnection = () => assert.fail('not to be called');
  await connect(t, DEAD, { ...PLAIN, agent, createConnection });
});

test('what is no function is not called', async (t) => {
  const server = await upgradeServer(t);
  for (const createConnection of [null, undefined, false]) {
    await connect(t, server.url, { ...PLAIN, createConnection });
  }
});

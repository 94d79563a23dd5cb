'use strict';

const assert = require('node:assert');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const WebSocket = require('../support/impl');
const { HOST, once, test, until } = require('../support/helpers');
const { TOO_EARLY, connect, converse, dial, failure } = require('./support/clients');
const { accept, refuse, upgradeServer } = require('./support/servers');

const DEAD = `ws://${HOST}:1`;
const PLAIN = { perMessageDeflate: false };

/** Whether `agent` holds on to nothing. */
function isIdle(agent) {
  return [agent.sockets, agent.freeSockets, agent.requests].every(
    (map) => Object.keys(map).length === 0
  );
}

/** The body of a plain GET through `agent`. */
function get(url, agent) {
  return new Promise((resolve, reject) => {
    const req = http.get(url.replace('ws', 'http'), { agent }, (res) => {
      let body = '';
      const port = res.socket.localPort;
      res.setEncoding('utf8');
      res.on('data', (chunk) => (body += chunk));
      res.on('end', () => resolve({ body, port }));
    });
    req.on('error', reject);
  });
}

test('keepAlive: a socket leaves its agent with the upgrade', async (t) => {
  const server = await upgradeServer(t);
  const agent = new http.Agent({ keepAlive: true });
  const clients = [];
  for (let i = 0; i < 3; i++) {
    const client = await connect(t, server.url, { ...PLAIN, agent });
    clients.push([client, await server.next()]);
  }
  assert.ok(isIdle(agent));
  agent.destroy();
  for (const [client, peer] of clients) await converse(client, peer);
});

test('keepAlive: an idle socket of the agent carries the upgrade', async (t) => {
  const server = await upgradeServer(t);
  server.on('request', (req, res) => res.end('plain'));
  const agent = new http.Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const { body, port } = await get(server.url, agent);
  assert.strictEqual(body, 'plain');
  await until(() => Object.keys(agent.freeSockets).length === 1, 'the socket to be free');
  const client = await connect(t, server.url, { ...PLAIN, agent });
  const peer = await server.next();
  assert.strictEqual(peer.socket.remotePort, port);
  assert.ok(isIdle(agent));
  await converse(client, peer);
});

test('keepAlive: the request keeps its Connection field', async (t) => {
  const server = await upgradeServer(t);
  await connect(t, server.url, { ...PLAIN, agent: new http.Agent({ keepAlive: true }) });
  assert.strictEqual(server.requests[0].headers.connection, 'Upgrade');
});

test('maxSockets: a client waits for its turn, and an upgrade frees the place', async (t) => {
  const pending = [];
  const server = await upgradeServer(t, { answer: (peer, req) => pending.push([peer, req]) });
  const agent = new http.Agent({ maxSockets: 1 });
  const first = dial(t, server.url, { ...PLAIN, agent });
  await server.next();
  const second = dial(t, server.url, { ...PLAIN, agent });
  await until(() => Object.keys(agent.requests).length === 1, 'the second to wait');
  assert.strictEqual(server.requests.length, 1);
  accept(...pending.shift());
  await once(first, 'open');
  await server.next();
  accept(...pending.shift());
  await once(second, 'open');
  assert.strictEqual(first.readyState, WebSocket.OPEN);
});

test('maxSockets: a client that waits can be given up', async (t) => {
  const server = await upgradeServer(t, { answer: () => {} });
  const agent = new http.Agent({ maxSockets: 1 });
  dial(t, server.url, { ...PLAIN, agent });
  await server.next();
  const second = dial(t, server.url, { ...PLAIN, agent });
  await until(() => Object.keys(agent.requests).length === 1, 'the second to wait');
  const failed = failure(second);
  second.close();
  assert.strictEqual((await failed).message, TOO_EARLY);
  assert.strictEqual(server.requests.length, 1);
});

test('a refused client leaves nothing in its agent', async (t) => {
  const server = await upgradeServer(t, { answer: refuse(403) });
  const agent = new http.Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const err = await failure(dial(t, server.url, { ...PLAIN, agent }));
  assert.strictEqual(err.message, 'Unexpected server response: 403');
  await until(() => isIdle(agent), 'the agent to be idle');
});

test('createConnection of a subclass: what it is given, and its socket is used', async (t) => {
  const server = await upgradeServer(t);
  const calls = [];
  class CustomAgent extends http.Agent {
    createConnection(options) {
      calls.push(options);
      return net.connect(server.port, HOST);
    }
  }
  const agent = new CustomAgent();
  const client = await connect(t, 'ws://name.invalid:7/path?q', {
    ...PLAIN,
    agent,
    family: 4,
    localPort: 0
  });
  const peer = await server.next();
  assert.strictEqual(calls.length, 1);
  const [{ host, port, family, localPort }] = calls;
  assert.deepStrictEqual(
    { host, port, family, localPort },
    { host: 'name.invalid', port: '7', family: 4, localPort: 0 }
  );
  assert.strictEqual(peer.request.url, '/path?q');
  assert.strictEqual(peer.request.headers.host, 'name.invalid:7');
  await converse(client, peer);
});

test('createConnection of a subclass: the socket comes later, by callback', async (t) => {
  const server = await upgradeServer(t);
  class LateAgent extends http.Agent {
    createConnection(options, callback) {
      const socket = net.connect(server.port, HOST, () => callback(null, socket));
    }
  }
  const client = await connect(t, DEAD, { ...PLAIN, agent: new LateAgent() });
  await converse(client, await server.next());
});

test('createConnection of a subclass: its error is the error of the client', async (t) => {
  const reason = new Error('no way out');
  class FailingAgent extends http.Agent {
    createConnection(options, callback) {
      process.nextTick(callback, reason);
    }
  }
  assert.strictEqual(await failure(dial(t, DEAD, { agent: new FailingAgent() })), reason);
});

test('addRequest is all that an agent needs', async (t) => {
  const server = await upgradeServer(t);
  const agent = {
    addRequest(req, options) {
      this.options = options;
      req.onSocket(net.connect(server.port, HOST));
    }
  };
  const client = await connect(t, `${DEAD}/x`, { ...PLAIN, agent });
  assert.strictEqual(agent.options.host, HOST);
  assert.strictEqual(agent.options.path, '/x');
  await converse(client, await server.next());
});

test('what is no agent is a TypeError', () => {
  for (const agent of [{}, 'agent', 7, true]) {
    assert.throws(() => new WebSocket(DEAD, { agent }), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_TYPE'
    });
  }
});

test('an agent of the other protocol is a TypeError', () => {
  assert.throws(() => new WebSocket(DEAD, { agent: new https.Agent() }), {
    name: 'TypeError',
    code: 'ERR_INVALID_PROTOCOL',
    message: 'Protocol "http:" not supported. Expected "https:"'
  });
  assert.throws(() => new WebSocket(`wss://${HOST}:1`, { agent: new http.Agent() }), {
    name: 'TypeError',
    code: 'ERR_INVALID_PROTOCOL',
    message: 'Protocol "https:" not supported. Expected "http:"'
  });
});

test('agent: false, null and undefined are no agent', async (t) => {
  const server = await upgradeServer(t);
  for (const agent of [false, null, undefined]) {
    const client = await connect(t, server.url, { ...PLAIN, agent });
    await converse(client, await server.next());
  }
});

test('options of the agent hold for its clients', async (t) => {
  const server = await upgradeServer(t);
  const agent = new http.Agent({
    lookup: (name, options, callback) =>
      options.all ? callback(null, [{ address: HOST, family: 4 }]) : callback(null, HOST, 4)
  });
  const client = await connect(t, `ws://name.invalid:${server.port}`, { ...PLAIN, agent });
  await converse(client, await server.next());
});

test('a timeout of the agent ends with the upgrade', async (t) => {
  const server = await upgradeServer(t);
  const agent = new http.Agent({ timeout: 60000 });
  const client = await connect(t, server.url, { ...PLAIN, agent });
  assert.strictEqual(client._socket.timeout, 0);
  assert.strictEqual(client._socket.listenerCount('timeout'), 0);
});

test("the agent's listeners are gone from the socket of an open client", async (t) => {
  const server = await upgradeServer(t);
  const agent = new http.Agent({ keepAlive: true });
  const client = await connect(t, server.url, { ...PLAIN, agent });
  for (const name of ['free', 'agentRemove']) {
    assert.strictEqual(client._socket.listenerCount(name), 0, name);
  }
  const closed = once(client, 'close');
  client.close(1000);
  const peer = await server.next();
  assert.strictEqual(await peer.closeFrame(), 1000);
  peer.send(8, Buffer.from([3, 232]));
  assert.deepStrictEqual(await closed, [1000, Buffer.alloc(0)]);
});

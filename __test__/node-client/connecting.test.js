'use strict';

// close() and terminate() in each phase of CONNECTING, and the handshake's timeout.

const assert = require('node:assert');
const http = require('node:http');
const net = require('node:net');
const { Duplex } = require('node:stream');
const WebSocket = require('../support/impl');
const { HOST, isWs, once, record, test, until } = require('../support/helpers');
const { RawPeer } = require('../support/raw-peer');
const { TOO_EARLY, connect, converse, dial, eachWay, failure } = require('./support/clients');
const certificates = require('./support/certificates');
const { accept, listen, refusal, switching, upgradeServer } = require('./support/servers');

const TIMED_OUT = 'Opening handshake has timed out';

/** Gives `client` up with `method`, and expects what ws does then. */
async function giveUp(client, method) {
  const failed = failure(client);
  client[method](1000, 'not sent');
  assert.strictEqual(client.readyState, WebSocket.CLOSING);
  client.close();
  client.terminate();
  const err = await failed;
  assert.strictEqual(err.constructor, Error);
  assert.strictEqual(err.message, TOO_EARLY);
  client.close();
  client.terminate();
  assert.strictEqual(client.readyState, WebSocket.CLOSED);
}

for (const method of ['close', 'terminate']) {
  eachWay(`${method}(): at once`, async (t, options) => {
    const server = await upgradeServer(t);
    await giveUp(dial(t, server.url, options()), method);
  });

  eachWay(`${method}(): during the lookup`, async (t, options) => {
    let asked;
    const called = new Promise((resolve) => (asked = resolve));
    const lookup = (...args) => asked(args.at(-1));
    const client = dial(t, 'ws://name.invalid:1', options({ lookup, family: 4 }));
    const answer = await called;
    await giveUp(client, method);
    answer(new Error('too late'));
  });

  eachWay(`${method}(): the request has been sent`, async (t, options) => {
    const server = await upgradeServer(t, { answer: () => {} });
    const client = dial(t, server.url, options());
    const peer = await server.next();
    await giveUp(client, method);
    await peer.end();
    assert.strictEqual(peer.data.length, 0);
  });

  eachWay(`${method}(): half the answer has arrived`, async (t, options) => {
    const server = await upgradeServer(t, {
      answer: (peer, req) => peer.write(switching(req).slice(0, 40))
    });
    const client = dial(t, server.url, options());
    const peer = await server.next();
    await giveUp(client, method);
    await peer.end();
  });

  eachWay(`${method}(): after a redirect`, async (t, options) => {
    const server = await upgradeServer(t, {
      answer(peer, req) {
        if (req.url === '/') peer.write(refusal(302, ['Location: /silent']));
      }
    });
    const client = dial(t, server.url, options({ followRedirects: true }));
    await server.next();
    const peer = await server.next();
    await giveUp(client, method);
    await peer.end();
  });

  eachWay(`${method}(): during the TLS handshake`, { secure: true }, async (t, options) => {
    const silent = net.createServer();
    const accepted = once(silent, 'connection');
    await listen(t, silent);
    const client = dial(t, `wss://${HOST}:${silent.address().port}`, options());
    const peer = new RawPeer((await accepted)[0]);
    await peer.read(() => peer.data[0], 'a ClientHello');
    await giveUp(client, method);
    await peer.end();
  });

  test(`${method}(): the stream of createConnection takes nothing`, async (t) => {
    const socket = new Duplex({ read() {}, write() {} });
    const client = dial(t, `ws://${HOST}:1`, { createConnection: () => socket });
    await new Promise((resolve) => setImmediate(resolve));
    await giveUp(client, method);
    assert.strictEqual(socket.destroyed, true);
  });

  test(`${method}(): createConnection never calls back`, async (t) => {
    const client = dial(t, `ws://${HOST}:1`, { createConnection: () => {} });
    await giveUp(client, method);
  });
}

eachWay("close() in a listener of 'error'", async (t, options) => {
  const server = await upgradeServer(t, { answer: (peer) => peer.write(refusal(400)) });
  const client = dial(t, server.url, options());
  client.on('error', () => {
    client.close();
    client.terminate();
  });
  assert.strictEqual((await failure(client)).message, 'Unexpected server response: 400');
});

eachWay('methods while CONNECTING', async (t, options) => {
  const server = await upgradeServer(t, { answer: () => {} });
  const client = dial(t, server.url, options());
  const message = 'WebSocket is not open: readyState 0 (CONNECTING)';
  for (const method of ['send', 'ping', 'pong']) {
    assert.throws(() => client[method]('x'), { name: 'Error', message });
  }
  client.pause();
  assert.strictEqual(client.isPaused, false);
  client.resume();
  assert.strictEqual(client.bufferedAmount, 0);
  assert.strictEqual(client.protocol, '');
  assert.strictEqual(client.extensions, '');
});

eachWay('the private surface while CONNECTING', async (t, options, way) => {
  const server = await upgradeServer(t, { answer: () => {} });
  const client = dial(t, server.url, options());
  assert.strictEqual(client._socket, null);
  assert.strictEqual(client._receiver, null);
  assert.strictEqual(client._sender, null);
  assert.strictEqual(client._isServer, false);
  await server.next();
  const isNodes = isWs || way !== 'native';
  assert.strictEqual(client._req instanceof http.ClientRequest, isNodes);
  assert.strictEqual(client._req.method, 'GET');
  assert.strictEqual(client._req.path, '/');
  assert.strictEqual(client._req.getHeader('upgrade') ?? 'websocket', 'websocket');
});

eachWay('_req: destroying it gives the client up', async (t, options) => {
  const server = await upgradeServer(t, { answer: () => {} });
  const client = dial(t, server.url, options());
  await server.next();
  const reason = new Error('destroyed');
  const failed = failure(client);
  client._req.destroy(reason);
  assert.strictEqual(await failed, reason);
  assert.strictEqual(client._req, null);
});

eachWay('methods after a failed handshake', async (t, options) => {
  const server = await upgradeServer(t, { answer: (peer) => peer.write(refusal(400)) });
  const client = dial(t, server.url, options());
  await failure(client);
  const err = await new Promise((resolve) => client.send('12345', resolve));
  assert.strictEqual(err.message, 'WebSocket is not open: readyState 3 (CLOSED)');
  assert.strictEqual(client.bufferedAmount, 5);
  client.ping('123');
  assert.strictEqual(client.bufferedAmount, 8);
});

eachWay('handshakeTimeout: no answer', async (t, options) => {
  const server = await upgradeServer(t, { answer: () => {} });
  const err = await failure(dial(t, server.url, options({ handshakeTimeout: 50 })));
  assert.strictEqual(err.message, TIMED_OUT);
  await (await server.next()).end();
});

eachWay('handshakeTimeout: half an answer', async (t, options) => {
  const server = await upgradeServer(t, {
    answer: (peer, req) => peer.write(switching(req).slice(0, 40))
  });
  const err = await failure(dial(t, server.url, options({ handshakeTimeout: 50 })));
  assert.strictEqual(err.message, TIMED_OUT);
});

eachWay('handshakeTimeout: no TLS handshake', { secure: true }, async (t, options) => {
  const silent = await listen(t, net.createServer());
  const url = `wss://${HOST}:${silent.address().port}`;
  const err = await failure(dial(t, url, options({ handshakeTimeout: 50 })));
  assert.strictEqual(err.message, TIMED_OUT);
});

eachWay('handshakeTimeout: the lookup does not answer', async (t, options) => {
  const lookup = () => {};
  const settings = options({ lookup, family: 4, handshakeTimeout: 50 });
  const err = await failure(dial(t, 'ws://name.invalid:1', settings));
  assert.strictEqual(err.message, TIMED_OUT);
});

eachWay('handshakeTimeout starts anew with a redirect', async (t, options) => {
  const pause = 500;
  const server = await upgradeServer(t, {
    answer(peer, req) {
      const next = { '/1': '/2', '/2': '/3' }[req.url];
      const answer = next ? refusal(302, [`Location: ${next}`]) : switching(req);
      setTimeout(() => peer.write(answer), pause);
    }
  });
  const settings = options({ followRedirects: true, handshakeTimeout: 2 * pause });
  const client = await connect(t, `${server.url}/1`, settings);
  assert.strictEqual(client.url, `${server.url}/3`);
});

eachWay('handshakeTimeout: the target of a redirect does not answer', async (t, options) => {
  const server = await upgradeServer(t, {
    answer(peer, req) {
      if (req.url === '/') peer.write(refusal(302, ['Location: /silent']));
    }
  });
  const settings = options({ followRedirects: true, handshakeTimeout: 50 });
  assert.strictEqual((await failure(dial(t, server.url, settings))).message, TIMED_OUT);
});

eachWay('handshakeTimeout is over when the connection is open', async (t, options) => {
  const server = await upgradeServer(t);
  const client = await connect(t, server.url, options({ handshakeTimeout: 40 }));
  const log = record(client, ['error', 'close']);
  const peer = await server.next();
  await new Promise((resolve) => setTimeout(resolve, 120));
  await converse(client, peer);
  assert.deepStrictEqual(log, []);
});

eachWay('handshakeTimeout: a wss: client', { secure: true }, async (t, options) => {
  const server = await upgradeServer(t, { tls: certificates.server, answer: () => {} });
  const settings = options({ ca: certificates.ca, handshakeTimeout: 200 });
  assert.strictEqual((await failure(dial(t, server.url, settings))).message, TIMED_OUT);
});

eachWay('the option timeout has no effect', async (t, options) => {
  let answer;
  const server = await upgradeServer(t, {
    answer: (peer, req) => (answer = () => accept(peer, req))
  });
  const client = dial(t, server.url, options({ timeout: 1 }));
  const log = record(client, ['error', 'close']);
  await server.next();
  await new Promise((resolve) => setTimeout(resolve, 50));
  answer();
  await until(() => client.readyState === WebSocket.OPEN);
  assert.deepStrictEqual(log, []);
});

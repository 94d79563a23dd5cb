'use strict';

// Where a client connects to and from, and the errors of that.

const assert = require('node:assert');
const dns = require('node:dns');
const net = require('node:net');
const os = require('node:os');
const { HOST, test } = require('../support/helpers');
const { connect, converse, dial, eachWay, failure } = require('./support/clients');
const { deadPort, socketPath, unixOnly, upgradeServer } = require('./support/servers');

const hasIpv6 = Object.values(os.networkInterfaces()).some((list) =>
  list.some(({ address }) => address === '::1')
);

/** A `lookup` that knows `addresses`, and `calls` with the arguments of each call. */
function fakeLookup(...addresses) {
  const all = addresses.map((address) => ({ address, family: net.isIP(address) }));
  const calls = [];
  const lookup = (name, options, callback) => {
    calls.push([name, { ...options }]);
    if (options.all) process.nextTick(callback, null, all);
    else process.nextTick(callback, null, all[0].address, all[0].family);
  };
  return { lookup, calls };
}

eachWay('lookup: called with the name, and what it says is used', async (t, options) => {
  const server = await upgradeServer(t);
  const { lookup, calls } = fakeLookup(HOST);
  const url = `ws://name.invalid:${server.port}/`;
  const client = await connect(t, url, options({ lookup, family: 4 }));
  assert.strictEqual(calls.length, 1);
  assert.strictEqual(calls[0][0], 'name.invalid');
  assert.strictEqual(calls[0][1].family, 4);
  assert.strictEqual(server.requests[0].headers.host, `name.invalid:${server.port}`);
  await converse(client, await server.next());
});

eachWay('lookup: not called for an address', async (t, options) => {
  const server = await upgradeServer(t);
  const lookup = () => assert.fail('not to be called');
  await connect(t, server.url, options({ lookup }));
});

eachWay('lookup: localhost', async (t, options) => {
  const server = await upgradeServer(t);
  await connect(t, `ws://localhost:${server.port}`, options({ family: 4 }));
});

eachWay('lookup: its hints', async (t, options) => {
  const server = await upgradeServer(t);
  const { lookup, calls } = fakeLookup(HOST);
  const url = `ws://name.invalid:${server.port}/`;
  await connect(t, url, options({ lookup, hints: dns.ADDRCONFIG, family: 4 }));
  assert.strictEqual(calls[0][1].hints, dns.ADDRCONFIG);
});

eachWay("lookup: without hints, those of Node's sockets", async (t, options) => {
  const server = await upgradeServer(t);
  const { lookup, calls } = fakeLookup(HOST);
  const url = `ws://name.invalid:${server.port}/`;
  await connect(t, url, options({ lookup }));
  assert.strictEqual(calls[0][1].hints, process.platform === 'win32' ? 0 : dns.ADDRCONFIG);
});

eachWay('lookup: its error is the error of the client', async (t, options) => {
  const reason = Object.assign(new Error('getaddrinfo ENOTFOUND name.invalid'), {
    code: 'ENOTFOUND',
    syscall: 'getaddrinfo',
    hostname: 'name.invalid'
  });
  const lookup = (name, settings, callback) => process.nextTick(callback, reason);
  assert.strictEqual(await failure(dial(t, 'ws://name.invalid/', options({ lookup }))), reason);
});

eachWay('lookup: an answer that is no address', async (t, options) => {
  const lookup = (name, { all }, callback) =>
    process.nextTick(callback, null, all ? [{ address: 'nonsense', family: 4 }] : 'nonsense', 4);
  const settings = options({ lookup, family: 4 });
  const err = await failure(dial(t, 'ws://name.invalid:1/', settings));
  assert.strictEqual(err.code, 'ERR_INVALID_IP_ADDRESS');
});

eachWay('lookup: for each redirect', async (t, options) => {
  const server = await upgradeServer(t, {
    answer(peer, req) {
      const location = `ws://second.invalid:${server.port}/`;
      if (req.headers.host.startsWith('first')) {
        peer.write(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`);
      }
    }
  });
  const { lookup, calls } = fakeLookup(HOST);
  const url = `ws://first.invalid:${server.port}/`;
  dial(t, url, options({ lookup, family: 4, followRedirects: true }));
  await server.next();
  await server.next();
  assert.deepStrictEqual(
    calls.map(([name]) => name),
    ['first.invalid', 'second.invalid']
  );
});

eachWay('family reaches the lookup', async (t, options) => {
  for (const family of [4, 6]) {
    const reason = new Error('enough');
    let seen;
    const lookup = (name, settings, callback) => {
      seen = settings.family;
      process.nextTick(callback, reason);
    };
    await failure(dial(t, 'ws://name.invalid:1/', options({ lookup, family })));
    assert.strictEqual(seen, family);
  }
});

eachWay('autoSelectFamily: the next address when one refuses', async (t, options) => {
  const server = await upgradeServer(t);
  const { lookup, calls } = fakeLookup('127.0.0.3', '127.0.0.2', HOST);
  const url = `ws://name.invalid:${server.port}/`;
  await connect(t, url, options({ lookup, autoSelectFamily: true }));
  assert.strictEqual(calls[0][1].all, true);
});

eachWay('autoSelectFamily: IPv6 refuses, IPv4 answers', async (t, options) => {
  const server = await upgradeServer(t);
  const { lookup } = fakeLookup('::1', HOST);
  const url = `ws://name.invalid:${server.port}/`;
  await connect(t, url, options({ lookup, autoSelectFamily: true }));
});

eachWay('autoSelectFamily: false: the first address alone', async (t, options) => {
  const server = await upgradeServer(t);
  const { lookup, calls } = fakeLookup('127.0.0.2', HOST);
  const settings = options({ lookup, autoSelectFamily: false });
  const err = await failure(dial(t, `ws://name.invalid:${server.port}/`, settings));
  assert.strictEqual(err.code, 'ECONNREFUSED');
  assert.strictEqual(err.address, '127.0.0.2');
  assert.strictEqual(err.port, server.port);
  assert.notStrictEqual(calls[0][1].all, true);
});

eachWay('autoSelectFamily: no address answers', async (t, options) => {
  const port = await deadPort();
  const { lookup } = fakeLookup('127.0.0.2', '127.0.0.3');
  const settings = options({ lookup, autoSelectFamily: true });
  const err = await failure(dial(t, `ws://name.invalid:${port}/`, settings));
  assert.ok(err instanceof AggregateError);
  assert.strictEqual(err.code, 'ECONNREFUSED');
  assert.deepStrictEqual(
    err.errors.map(({ code, address }) => [code, address]),
    [
      ['ECONNREFUSED', '127.0.0.2'],
      ['ECONNREFUSED', '127.0.0.3']
    ]
  );
});

const linuxOnly = { skip: process.platform !== 'linux' && 'Linux only' };

eachWay('localAddress', linuxOnly, async (t, options) => {
  const server = await upgradeServer(t);
  const client = await connect(t, server.url, options({ localAddress: '127.0.0.2' }));
  const peer = await server.next();
  assert.strictEqual(peer.socket.remoteAddress, '127.0.0.2');
  assert.strictEqual(client._socket.localAddress, '127.0.0.2');
  await converse(client, peer);
});

eachWay('localAddress that is not ours', linuxOnly, async (t, options) => {
  const server = await upgradeServer(t);
  const settings = options({ localAddress: '192.0.2.1' });
  const err = await failure(dial(t, server.url, settings));
  assert.strictEqual(err.code, 'EADDRNOTAVAIL');
});

eachWay('localPort', async (t, options) => {
  const server = await upgradeServer(t);
  const localPort = await deadPort();
  await connect(t, server.url, options({ localPort }));
  assert.strictEqual((await server.next()).socket.remotePort, localPort);
});

eachWay('an IPv6 address', { skip: !hasIpv6 && 'no IPv6' }, async (t, options) => {
  const server = await upgradeServer(t, { address: { port: 0, host: '::1' } });
  const client = await connect(t, `ws://[::1]:${server.port}/`, options());
  assert.strictEqual(server.requests[0].headers.host, `[::1]:${server.port}`);
  assert.strictEqual(client._socket.remoteFamily, 'IPv6');
  await converse(client, await server.next());
});

eachWay('ECONNREFUSED has the fields that Node gives it', async (t, options) => {
  const port = await deadPort();
  const err = await failure(dial(t, `ws://${HOST}:${port}`, options()));
  assert.strictEqual(err.code, 'ECONNREFUSED');
  assert.strictEqual(err.syscall, 'connect');
  assert.strictEqual(err.address, HOST);
  assert.strictEqual(err.port, port);
  assert.strictEqual(err.errno, -os.constants.errno.ECONNREFUSED);
  assert.strictEqual(err.message, `connect ECONNREFUSED ${HOST}:${port}`);
});

eachWay('ws+unix: split at the first colon only', unixOnly, async (t, options) => {
  const file = socketPath(t);
  const server = await upgradeServer(t, { address: { path: file } });
  for (const [url, path] of [
    [`ws+unix:${file}:/url/path:x?q=1`, '/url/path:x?q=1'],
    [`ws+unix:${file}`, '/'],
    [`ws+unix://${file}:/host`, '/host']
  ]) {
    const client = await connect(t, url, options());
    assert.strictEqual(client.url, url);
    const peer = await server.next();
    assert.strictEqual(peer.request.url, path);
    assert.strictEqual(peer.request.headers.host, 'localhost');
    await converse(client, peer);
  }
});

eachWay('ws+unix: ENOENT', unixOnly, async (t, options) => {
  const file = socketPath(t);
  const err = await failure(dial(t, `ws+unix:${file}:/x`, options()));
  assert.strictEqual(err.code, 'ENOENT');
  assert.strictEqual(err.syscall, 'connect');
  assert.strictEqual(err.address, file);
  assert.strictEqual(err.message, `connect ENOENT ${file}`);
});

test('ws+unix: an agent is asked for the path', unixOnly, async (t) => {
  const file = socketPath(t);
  await upgradeServer(t, { address: { path: file } });
  const agent = {
    addRequest(req, options) {
      this.socketPath = options.socketPath;
      req.onSocket(net.connect(options.socketPath));
    }
  };
  await connect(t, `ws+unix:${file}:/x`, { perMessageDeflate: false, agent });
  assert.strictEqual(agent.socketPath, file);
});

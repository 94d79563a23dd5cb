'use strict';

// A SOCKS 5 proxy: CONNECT of RFC 1928, and the user names and passwords of RFC 1929.

const net = require('node:net');
const { HOST } = require('../../support/helpers');
const { RawPeer } = require('../../support/raw-peer');
const { join } = require('./http-proxy');
const { listen } = require('./servers');

const NO_AUTH = 0;
const PASSWORD = 2;
const GRANTED = 0;
const REFUSED = 5;

const reply = (code) => Buffer.from([5, code, 0, 1, 127, 0, 0, 1, 0, 0]);

/** The next `count` bytes of `peer`. */
function take(peer, count) {
  return peer.read(() => {
    if (peer.data.length < count) return undefined;
    const bytes = peer.data.subarray(0, count);
    peer.data = peer.data.subarray(count);
    return bytes;
  }, `${count} bytes`);
}

/** The name or address that follows in a request. */
async function takeHost(peer, type) {
  if (type === 1) return (await take(peer, 4)).join('.');
  const [length] = await take(peer, 1);
  return String(await take(peer, length));
}

/** Whether the client has proved who it is, when `credentials` are asked for. */
async function greet(peer, credentials) {
  const [, count] = await take(peer, 2);
  const methods = await take(peer, count);
  const method = credentials ? PASSWORD : NO_AUTH;
  if (!methods.includes(method)) {
    peer.write(Buffer.from([5, 0xff]));
    return false;
  }
  peer.write(Buffer.from([5, method]));
  if (!credentials) return true;
  const [, userLength] = await take(peer, 2);
  const user = await take(peer, userLength);
  const [passwordLength] = await take(peer, 1);
  const password = await take(peer, passwordLength);
  const isRight = `${user}:${password}` === credentials;
  peer.write(Buffer.from([1, isRight ? 0 : 1]));
  return isRight;
}

/** A listening proxy. `proxy.log` has the 'host:port' of each request; names are for loopback. */
async function socksProxy(t, { credentials } = {}) {
  const proxy = net.createServer({ allowHalfOpen: true }, async (socket) => {
    const peer = new RawPeer(socket);
    try {
      if (!(await greet(peer, credentials))) return socket.end();
      const [, , , type] = await take(peer, 4);
      const host = await takeHost(peer, type);
      const port = (await take(peer, 2)).readUInt16BE(0);
      proxy.log.push(`${host}:${port}`);
      const upstream = net.connect({ port, host: HOST, allowHalfOpen: true });
      upstream.on('error', () => socket.end(reply(REFUSED)));
      upstream.on('connect', () => {
        socket.removeAllListeners('data');
        socket.write(reply(GRANTED));
        upstream.write(peer.data);
        join(socket, upstream);
      });
    } catch {
      socket.destroy();
    }
  });
  proxy.log = [];
  await listen(t, proxy);
  const at = credentials ? `${credentials}@` : '';
  proxy.url = `socks5h://${at}${HOST}:${proxy.address().port}`;
  return proxy;
}

module.exports = { socksProxy };

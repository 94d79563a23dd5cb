'use strict';

// Servers with TLS of their own, and clients of Node that talk to them byte by byte.

const net = require('node:net');
const tls = require('node:tls');
const WebSocket = require('../../support/impl');
const { HOST, discard, once, within } = require('../../support/helpers');
const { RawPeer, upgradeRequest } = require('../../support/raw-peer');
const { root, server } = require('../../support/certificates');

/** Closes a server with its clients. */
async function close(wss) {
  const closed = new Promise((resolve) => wss.close(resolve));
  wss.testSockets.forEach(discard);
  await within(closed, 'the server to close');
}

/**
 * A listening server with the certificate `server`, unless `options` have another one. `testUrl`
 * and `testPort` are where it listens, `tlsErrors` what failed in its handshakes.
 */
async function serveTls(t, options, onConnection) {
  const wss = new WebSocket.WebSocketServer({ port: 0, host: HOST, ...server, ...options });
  wss.testSockets = new Set();
  wss.tlsErrors = [];
  wss.on('connection', (ws) => {
    wss.testSockets.add(ws);
    ws.on('close', () => wss.testSockets.delete(ws));
  });
  wss.on('tlsClientError', (err) => wss.tlsErrors.push(err));
  if (onConnection) wss.on('connection', onConnection);
  t.after(() => close(wss));
  await once(wss, 'listening');
  wss.testPort = wss.address().port;
  wss.testUrl = `wss://${HOST}:${wss.testPort}`;
  return wss;
}

/** A client that trusts `root`; it is discarded after the test and may still be CONNECTING. */
function dialTls(t, url, options) {
  const client = new WebSocket(url, { ca: root, perMessageDeflate: false, ...options });
  t.after(() => discard(client));
  return client;
}

/** An open client that trusts `root`. */
async function connectTls(t, url, options) {
  const client = dialTls(t, url, options);
  await once(client, 'open');
  return client;
}

/** A server, a client connected to it, the server's side of that connection, and its request. */
async function pairTls(t, serverOptions, clientOptions) {
  const wss = await serveTls(t, serverOptions);
  const connection = once(wss, 'connection');
  const [client, [peer, req]] = await Promise.all([
    connectTls(t, wss.testUrl, clientOptions),
    connection
  ]);
  return { wss, client, peer, req };
}

/** Node's client after its handshake: `socket` is the TLSSocket, `session` the last that it was given. */
async function nodeClient(t, port, options) {
  const tcp = net.connect(port, HOST);
  const socket = tls.connect({ socket: tcp, host: HOST, ca: root, ...options });
  t.after(() => socket.destroy());
  const peer = new RawPeer(socket, { mask: true, tcp });
  socket.on('session', (session) => (peer.session = session));
  await once(socket, 'secureConnect');
  return peer;
}

/** The same after the opening handshake of WebSocket. */
async function nodeWebSocket(t, port, options) {
  const peer = await nodeClient(t, port, options);
  peer.write(upgradeRequest());
  peer.response = await peer.head();
  return peer;
}

module.exports = {
  close,
  connectTls,
  dialTls,
  nodeClient,
  nodeWebSocket,
  pairTls,
  serveTls
};

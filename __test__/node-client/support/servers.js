'use strict';

// Servers that know nothing of WebSocket but what a test has them say.

const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const os = require('node:os');
const path = require('node:path');
const { HOST, within } = require('../../support/helpers');
const { RawPeer, acceptFor } = require('../../support/raw-peer');

/** Lets `server` listen on a free loopback port; it is closed with all its sockets after the test. */
async function listen(t, server, address = { port: 0, host: HOST }) {
  const sockets = new Set();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  t.after(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await within(closed, 'the server to close');
  });
  await new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(address, resolve);
  });
  return server;
}

/** The 101 that `req` asks for. */
function switching(req, extra = []) {
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptFor(req.headers['sec-websocket-key'])}`,
    ...extra,
    '',
    ''
  ].join('\r\n');
}

function accept(peer, req) {
  peer.write(switching(req));
}

/**
 * An HTTP server, or with `tls` an HTTPS server with these options, which hands each upgrade
 * request to `answer(peer, req)`; by default it is accepted. `next()` resolves with each RawPeer in
 * turn, after its answer; `peer.request` is its request.
 */
async function upgradeServer(t, { answer = accept, tls, address } = {}) {
  const server = tls ? https.createServer(tls) : http.createServer();
  const ready = [];
  const waiting = [];
  server.requests = [];
  server.on('upgrade', (req, socket, head) => {
    if (head.length > 0) socket.unshift(head);
    const peer = new RawPeer(socket);
    socket.on('end', () => socket.end()); // Node leaves the sockets of its HTTP servers half open
    peer.request = req;
    server.requests.push(req);
    answer(peer, req);
    if (waiting.length > 0) waiting.shift()(peer);
    else ready.push(peer);
  });
  server.next = () =>
    within(
      new Promise((resolve) => {
        if (ready.length > 0) resolve(ready.shift());
        else waiting.push(resolve);
      }),
      'an upgrade request'
    );
  server.on('tlsClientError', () => {});
  await listen(t, server, address);
  server.port = server.address().port;
  server.url = `${tls ? 'wss' : 'ws'}://${HOST}:${server.port}`;
  return server;
}

/** An answer that is no 101. */
function refusal(status, fields = [], body = '') {
  return [
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...fields,
    '',
    body
  ].join('\r\n');
}

/** An `answer` of `upgradeServer` that refuses. */
const refuse = (status, fields, body) => (peer) => peer.write(refusal(status, fields, body));

/** An `answer` of `upgradeServer` that redirects. */
const redirect = (location, status = 302) => refuse(status, [`Location: ${location}`]);

/** A port of the loopback interface on which nothing listens. */
async function deadPort() {
  const server = http.createServer();
  await new Promise((resolve) => server.listen(0, HOST, resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A path for a Unix socket, in a folder that is gone after the test. */
function socketPath(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hawser-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return path.join(folder, 'socket');
}

/** Options of a test that needs Unix sockets. */
const unixOnly = { skip: process.platform === 'win32' && 'no Unix sockets' };

module.exports = {
  accept,
  deadPort,
  listen,
  redirect,
  refusal,
  refuse,
  socketPath,
  switching,
  unixOnly,
  upgradeServer
};

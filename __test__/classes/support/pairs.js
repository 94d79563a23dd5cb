'use strict';

const http = require('node:http');
const net = require('node:net');
const WebSocket = require('../../support/impl');
const { WrappedSocket } = require('../../support/duplex');
const { HOST, once, test, within } = require('../../support/helpers');

const PLAIN = { perMessageDeflate: false };

/** A connection as a Duplex that is no socket. */
function wrapped({ host, port }) {
  const socket = net.connect({ host, port, allowHalfOpen: true });
  return new WrappedSocket(socket, { allowHalfOpen: false });
}

/** What two WebSockets can talk over, by the name of what carries them. */
const KINDS = {
  native: {
    client: {},
    server: (options) => new WebSocket.Server({ port: 0, host: HOST, ...options })
  },
  adopted: {
    client: { createConnection: ({ host, port }) => net.connect({ host, port }) },
    server(options) {
      const server = http.createServer();
      const wss = new WebSocket.Server({ server, ...options });
      server.listen(0, HOST);
      wss.on('close', () => server.close());
      return wss;
    }
  },
  stream: {
    client: { createConnection: wrapped },
    server(options) {
      const server = http.createServer();
      const wss = new WebSocket.Server({ noServer: true, ...options });
      server.on('upgrade', (req, socket, head) => {
        wss.handleUpgrade(req, new WrappedSocket(socket), head, (ws) => {
          wss.emit('connection', ws, req);
        });
      });
      wss.address = () => server.address();
      server.listen(0, HOST, () => wss.emit('listening'));
      wss.on('close', () => server.close());
      return wss;
    }
  }
};

/** A listening server of this kind, closed with its clients after the test; `wss.url`. */
async function serve(t, kind, options) {
  const wss = KINDS[kind].server({ ...PLAIN, ...options });
  t.after(async () => {
    const closed = new Promise((resolve) => wss.close(resolve));
    for (const ws of wss.clients) {
      ws.on('error', () => {});
      ws.terminate();
    }
    await within(closed, 'the server to close');
  });
  await once(wss, 'listening');
  wss.url = `ws://${HOST}:${wss.address().port}`;
  return wss;
}

/** A client, perhaps still CONNECTING, that is terminated after the test. */
function dial(t, kind, url, options) {
  const client = new WebSocket(url, { ...PLAIN, ...KINDS[kind].client, ...options });
  t.after(() => {
    client.on('error', () => {});
    client.terminate();
  });
  return client;
}

/** A client that is connecting, and a promise of the server's side. */
async function connecting(t, kind, { server, client } = {}) {
  const wss = await serve(t, kind, server);
  const accepted = new Promise((resolve) => wss.once('connection', resolve));
  return { wss, client: dial(t, kind, wss.url, client), accepted };
}

/** An open client, and the server's side of it. */
async function pair(t, kind, options) {
  const { wss, client, accepted } = await connecting(t, kind, options);
  const [peer] = await Promise.all([accepted, once(client, 'open')]);
  return { wss, client, peer };
}

/** One test for each kind: fn(t, kind). */
function eachKind(title, fn) {
  for (const kind of Object.keys(KINDS)) test(`${title} [${kind}]`, (t) => fn(t, kind));
}

module.exports = { connecting, dial, eachKind, pair, serve };

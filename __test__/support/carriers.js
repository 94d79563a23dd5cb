'use strict';

// What carries the connections of a test. HAWSER_TEST_CARRIER is one of
//   native   a server with { port }, a client with nothing but a URL: sockets of the implementation
//   adopted  a server with { server }, a client through http.request: sockets that Node has made
//   stream   the same with Duplexes that are no net.Socket; the server is given them by
//            handleUpgrade()
//   tls      a server with an https.Server, a client with wss:
//   wss      as native, with TLS: a server with { port, cert, key }, a client with wss:; ws has no such
//            servers
//
// A test that makes sense over some of them only says so with one of the lists below:
//   test('...', { carriers: EXTERNAL }, async (t) => { ... });

const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const tls = require('node:tls');
const WebSocket = require('./impl');
const certificates = require('./certificates');
const { WrappedSocket } = require('./duplex');

const HOST = '127.0.0.1';
const ALL = ['native', 'adopted', 'stream', 'tls', 'wss'];

/** What a server with `{ port }` does itself. */
const PORT = ['native', 'wss'];
/** What a server does beside an http.Server of the application. */
const EXTERNAL = ['adopted', 'stream', 'tls'];
/** What is about the http.Server, and not only about its sockets. */
const SERVER = ['adopted', 'tls'];
/** What a descriptor of the operating system can do, and a stream cannot. */
const DESCRIPTOR = ['native', 'adopted'];
/** What a net.Socket has beside other Duplexes, and so does a tls.TLSSocket. */
const NET_SOCKET = ['native', 'adopted', 'tls', 'wss'];
/** What cannot be had over TLS, or takes long there and is the same. */
const TCP = ['native', 'adopted', 'stream'];
/** What only TLS has. */
const TLS = ['tls', 'wss'];

const carrier = process.env.HAWSER_TEST_CARRIER || 'native';
if (!ALL.includes(carrier)) throw new Error(`HAWSER_TEST_CARRIER is one of ${ALL.join(', ')}`);

const isTls = TLS.includes(carrier);
/** `cert` and `key` of the servers, for localhost and the loopback addresses. */
const credentials = isTls ? certificates.server : {};
/** What signed them. */
const ca = isTls ? certificates.root : undefined;

/** The URL of a server on `port`. */
function urlOf(port, host = HOST) {
  return `${isTls ? 'wss' : 'ws'}://${host}:${port}`;
}

/** The same for what is no WebSocket. */
function httpUrlOf(port, host = HOST) {
  return `${isTls ? 'https' : 'http'}://${host}:${port}`;
}

// ---- WebSocket servers and clients ----

/**
 * A server that begins to listen, on a free loopback port unless `options` say otherwise.
 * When it has emitted 'listening' it has `testPort` and `testUrl`; `testServer` is the http.Server
 * that the application would have made, or null, and is closed with the WebSocketServer.
 */
function createServer(options, Server = WebSocket.WebSocketServer) {
  if (PORT.includes(carrier)) {
    const wss = new Server({ port: 0, host: HOST, ...credentials, ...options });
    wss.testServer = null;
    wss.prependListener('listening', () => setPort(wss, wss.address().port));
    return wss;
  }
  const { port = 0, host = HOST, ...rest } = options ?? {};
  const server = createHttpServer();
  const wss = new Server(carrier === 'stream' ? { noServer: true, ...rest } : { server, ...rest });
  if (carrier === 'stream') {
    server.on('upgrade', (req, socket, head) => {
      wss.handleUpgrade(req, carried(socket), head, (ws) => {
        wss.emit('connection', ws, req);
      });
    });
    server.on('listening', () => wss.emit('listening'));
    server.on('error', (err) => wss.emit('error', err));
  }
  wss.testServer = server;
  wss.prependListener('listening', () => setPort(wss, server.address().port));
  wss.on('close', () => server.close());
  server.listen(port, host);
  return wss;
}

/** What is given to handleUpgrade() for a socket of an http.Server. */
function carried(socket) {
  return carrier === 'stream' ? new WrappedSocket(socket) : socket;
}

function setPort(wss, port) {
  wss.testPort = port;
  wss.testUrl = urlOf(port);
}

/** The application's server, which answers plain requests as ws does on a port of its own. */
function createHttpServer(listener = upgradeRequired) {
  return isTls ? https.createServer(credentials, listener) : http.createServer(listener);
}

function upgradeRequired(req, res) {
  const body = http.STATUS_CODES[426];
  res.writeHead(426, { 'Content-Length': body.length, 'Content-Type': 'text/plain' });
  res.end(body);
}

/** `new WebSocket(url, ...args)` over the carrier. */
function createClient(url, ...args) {
  if (carrier === 'native') return new WebSocket(url, ...args);
  const protocols = isOptions(args[0]) ? [] : args.splice(0, 1);
  return new WebSocket(url, ...protocols, { ...clientOptions(), ...args[0] });
}

function isOptions(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function clientOptions() {
  switch (carrier) {
    case 'adopted':
      return { createConnection: connectPlain };
    case 'stream':
      return {
        // a client's socket ends when its peer does, but only after the wrapper has seen it
        createConnection: (options) =>
          new WrappedSocket(connectPlain({ ...options, allowHalfOpen: true }), {
            allowHalfOpen: false
          })
      };
    case 'tls':
    case 'wss':
      return { ca };
  }
}

function connectPlain(options) {
  return net.connect({ ...options, path: options.socketPath });
}

// ---- raw sockets, and plain requests ----

/** `http.request`, or `https.request`, to `url`. */
function request(url, options, onResponse) {
  return (isTls ? https : http).request(url, { ca, ...options }, onResponse);
}

/** An agent for `request`. */
function createAgent(options) {
  return new (isTls ? https : http).Agent(options);
}

/** A connection to a server of the carrier; resolves when it can be written to. */
function connectRaw(options) {
  const tcp = net.connect({ host: HOST, ...options });
  if (!isTls) return { tcp, socket: tcp, ready: 'connect' };
  const socket = tls.connect({ socket: tcp, host: HOST, ca, ...options });
  return { tcp, socket, ready: 'secureConnect' };
}

/** A server for clients of the carrier: onSocket(socket, tcp). */
function createRawServer(onSocket) {
  if (!isTls) return net.createServer((socket) => onSocket(socket, socket));
  const underneath = new Map();
  const server = tls.createServer(credentials, (socket) => {
    onSocket(socket, underneath.get(socket.remotePort));
  });
  server.on('connection', (tcp) => {
    underneath.set(tcp.remotePort, tcp);
    tcp.on('error', () => {});
  });
  server.on('tlsClientError', () => {});
  return server;
}

module.exports = {
  DESCRIPTOR,
  EXTERNAL,
  HOST,
  NET_SOCKET,
  PORT,
  SERVER,
  TCP,
  TLS,
  carried,
  carrier,
  connectRaw,
  createAgent,
  createClient,
  createHttpServer,
  createRawServer,
  createServer,
  httpUrlOf,
  isTls,
  request,
  urlOf
};

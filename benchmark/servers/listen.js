'use strict';

const http = require('node:http');
const https = require('node:https');

const { selfSigned } = require('./certificate');

/**
 * How connections reach a WebSocketServer: over its own port, or by the 'upgrade' events of a
 * server of Node's. `tls` is TLS as an application of the implementation would have it: on hawser's
 * own port, while ws takes a server of Node's. Each starts to listen on a free port of 127.0.0.1.
 */
const listeners = {
  port: (WebSocketServer, options) =>
    new WebSocketServer({ ...options, port: 0, host: '127.0.0.1' }),
  http: (WebSocketServer, options) => attach(WebSocketServer, options, http.createServer()),
  https: (WebSocketServer, options) =>
    attach(WebSocketServer, options, https.createServer(selfSigned())),
  tls: (WebSocketServer, options, implementation) =>
    implementation === 'hawser'
      ? listeners.port(WebSocketServer, { ...options, ...selfSigned() })
      : listeners.https(WebSocketServer, options)
};

function attach(WebSocketServer, options, server) {
  const wss = new WebSocketServer({ ...options, server });
  server.listen(0, '127.0.0.1');
  return wss;
}

module.exports = listeners;

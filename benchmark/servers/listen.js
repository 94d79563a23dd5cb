'use strict';

const http = require('node:http');
const https = require('node:https');

const { selfSigned } = require('./certificate');

const OPTIONS = { perMessageDeflate: false };

/**
 * How connections reach a WebSocketServer: over its own port, or by the 'upgrade' events of a
 * server of Node's. Each starts to listen on a free port of 127.0.0.1.
 */
const listeners = {
  port: (WebSocketServer) => new WebSocketServer({ ...OPTIONS, port: 0, host: '127.0.0.1' }),
  http: (WebSocketServer) => attach(WebSocketServer, http.createServer()),
  https: (WebSocketServer) => attach(WebSocketServer, https.createServer(selfSigned()))
};

function attach(WebSocketServer, server) {
  const wss = new WebSocketServer({ ...OPTIONS, server });
  server.listen(0, '127.0.0.1');
  return wss;
}

module.exports = listeners;

'use strict';

// The same as in ws.test.js over TLS: a server of the implementation with a certificate, a server of
// npm ws beside an https.Server.

const https = require('node:https');
const ws = require('ws');
const { once } = require('node:events');
const impl = require('../support/impl.js');
const { isWs } = require('../support/helpers.js');
const { root, server: pair } = require('../support/certificates.js');
const { suite } = require('./ws-suite.js');

const trusting = { ca: root };

async function listen(wss, server) {
  await once(server, 'listening');
  return { wss, url: `wss://127.0.0.1:${server.address().port}` };
}

for (const version of ['TLSv1.2', 'TLSv1.3']) {
  const credentials = { ...pair, minVersion: version, maxVersion: version };

  const listenNatively = (options) => {
    const wss = new impl.WebSocketServer({
      host: '127.0.0.1',
      port: 0,
      ...credentials,
      ...options
    });
    return listen(wss, wss);
  };

  const listenWithHttps = (options) => {
    const server = https.createServer(credentials);
    const wss = new ws.WebSocketServer({ server, ...options });
    wss.on('close', () => server.close());
    server.listen(0, '127.0.0.1');
    return listen(wss, server);
  };

  // a server of ws has no TLS of its own
  if (!isWs) suite(`client of npm ws, ${version}`, listenNatively, ws.WebSocket, trusting);
  suite(`server of npm ws, ${version}`, listenWithHttps, impl.WebSocket, trusting);
}

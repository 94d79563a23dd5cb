'use strict';

// bun bun.js [port|tls] [compression]
const [listener = 'port', compression = 'off'] = process.argv.slice(2);

const { selfSigned } = require('./certificate');
const compressions = require('./compression');
const { control } = require('./control');

const perMessageDeflate = compressions[compression].bun;
// Bun compresses only what it is told to, message by message.
const compress = Boolean(perMessageDeflate);

const server = globalThis.Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  tls: listener === 'tls' ? selfSigned() : undefined,
  fetch(request, server) {
    if (!server.upgrade(request)) return new Response('Upgrade Required', { status: 426 });
  },
  websocket: {
    perMessageDeflate,
    maxPayloadLength: 100 * 1024 * 1024,
    backpressureLimit: 1024 * 1024 * 1024,
    idleTimeout: 0,
    message(ws, data) {
      ws.send(data, compress);
    }
  }
});

control({});
console.log(`listening ${server.port}`);

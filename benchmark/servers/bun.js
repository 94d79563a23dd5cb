'use strict';

const { control } = require('./control');

const server = globalThis.Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request, server) {
    if (!server.upgrade(request)) return new Response('Upgrade Required', { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    maxPayloadLength: 100 * 1024 * 1024,
    backpressureLimit: 1024 * 1024 * 1024,
    idleTimeout: 0,
    message(ws, data) {
      ws.send(data);
    }
  }
});

control({});
console.log(`listening ${server.port}`);

'use strict';

// An echo server of Bun's that compresses: bun server.js; prints its port.

const server = globalThis.Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request, own) {
    const mode = new URL(request.url).pathname;
    if (!own.upgrade(request, { data: mode })) return new Response('no upgrade', { status: 426 });
  },
  websocket: {
    perMessageDeflate: { compress: 'dedicated', decompress: 'dedicated' },
    maxPayloadLength: 16 * 1024 * 1024,
    message(ws, data) {
      ws.send(data, true);
    }
  }
});
console.log(server.port);

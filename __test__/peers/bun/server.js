'use strict';

// An echo server of Bun's that compresses: bun server.js [CERTIFICATE KEY]; prints its port.

const [certificate, key] = process.argv.slice(2).map((file) => globalThis.Bun.file(file));

const server = globalThis.Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  tls: certificate && { cert: certificate, key },
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

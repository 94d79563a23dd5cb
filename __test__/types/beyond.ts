// What @types/ws does not have.

import * as http from 'node:http';
import WebSocket, { configureRuntime, WebSocketServer } from 'hawser';

configureRuntime({ threads: 2 });
const runtime: WebSocket.RuntimeOptions = {};

const common: WebSocket.ConnectionOptions = {
  closeTimeout: 1000,
  maxFrameSize: 65536,
  maxPendingAutoPongs: 10
};
const ws = new WebSocket('ws://localhost', { ...common, protocols: ['a', 'b'] });
new WebSocket('ws://localhost', { protocols: 'a' });
new WebSocket(null, undefined, { closeTimeout: 1 });
ws.close(1000, new Uint8Array(3));

ws.binaryType = 'blob';
ws.on('message', async (data: WebSocket.RawData | Blob, isBinary: boolean) => {
  if (isBinary && data instanceof Blob) console.log((await data.arrayBuffer()).byteLength);
});

const wss = new WebSocketServer({
  ...common,
  port: 0,
  handshakeTimeout: 5000,
  ipv6Only: true,
  reusePort: true
});
wss.on('request', function (request, response) {
  const answer: http.ServerResponse = response;
  answer.end(request.url);
  this.close();
});

// @ts-expect-error: not a type of message
ws.binaryType = 'text';
// @ts-expect-error: not a number of threads
configureRuntime({ threads: 'all' });

export { runtime };

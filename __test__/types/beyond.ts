// What @types/ws does not have.

import * as http from 'node:http';
import { Duplex } from 'node:stream';
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

// What ws exports and @types/ws does not declare.
const receiver = new WebSocket.Receiver({
  isServer: true,
  maxPayload: 10,
  binaryType: 'fragments'
});
receiver.on('message', (data: WebSocket.RawData, isBinary: boolean) => console.log(data, isBinary));
receiver.write(Buffer.alloc(2));
const options: WebSocket.FrameOptions = { fin: true, opcode: 1, mask: true, readOnly: true };
const frame: (string | Buffer)[] = WebSocket.Sender.frame('text', options);
declare const duplex: Duplex;
const sender = new WebSocket.Sender(duplex, {}, (mask) => mask.fill(1));
sender.send('text', { binary: false, fin: true, mask: true }, (err) => console.log(err));
sender.sendFrame(frame);
const offers = WebSocket.extension.parse('permessage-deflate; client_max_window_bits');
const header: string = WebSocket.extension.format({ x: { a: true, b: [1, '2'] } });
const names: Set<string> = WebSocket.subprotocol.parse('a, b');
console.log(offers['permessage-deflate'][0].client_max_window_bits, header, names.size);
const detached = new WebSocket(null, undefined, {});
detached.setSocket(duplex, Buffer.alloc(0), { maxPayload: 0 });
new WebSocket('wss://localhost', { servername: 'a', signal: AbortSignal.timeout(1) });

const connector = new WebSocket.TlsConnector({
  ca: 'PEM',
  roots: 'bundled',
  minVersion: 'TLSv1.3'
});
new WebSocket('wss://localhost', { connector, servername: 'a' });
new WebSocket('wss://localhost', { roots: 'system', ALPNProtocols: ['http/1.1'] });
const context: WebSocket.SecureContext = WebSocket.createSecureContext({ cert: 'PEM', key: 'PEM' });
const secure = new WebSocketServer({
  port: 0,
  cert: ['PEM'],
  key: [{ pem: 'PEM', passphrase: 'x' }],
  requestCert: true,
  sessionTimeout: 60,
  secureContexts: { 'a.example': context, '*.example': { cert: 'PEM', key: 'PEM' } },
  SNICallback: (servername, callback) => callback(null, servername === 'b' ? context : null)
});
secure.on('tlsClientError', (error, peer) => console.log(error.message, peer.remoteAddress));
secure.on('connection', (socket, request) => {
  const tls = request.socket as unknown as WebSocket.TlsSocketInfo;
  console.log(tls.authorized, tls.getPeerCertificate().subject.CN);
});
secure.setSecureContext({ cert: 'PEM', key: 'PEM' });
// @ts-expect-error: not a set of roots
new WebSocket('wss://localhost', { roots: 'own' });

// Uses the whole surface without a cast, in the way that code written for @types/ws 8.18 does.

import { EventEmitter } from 'node:events';
import * as http from 'node:http';
import { Duplex } from 'node:stream';
import { URL } from 'node:url';
import WebSocket, { createWebSocketStream, WebSocketServer, WebSocket as Named } from 'hawser';

// Clients.
const options: WebSocket.ClientOptions = {
  protocol: 'x',
  followRedirects: false,
  generateMask(mask: Buffer) {
    mask.fill(0);
  },
  handshakeTimeout: 1000,
  maxRedirects: 3,
  perMessageDeflate: { threshold: 10, zlibDeflateOptions: { level: 1 } },
  localAddress: '127.0.0.1',
  protocolVersion: 13,
  headers: { a: 'b' },
  origin: 'http://localhost',
  agent: new http.Agent(),
  family: 4,
  checkServerIdentity: () => true,
  rejectUnauthorized: false,
  allowSynchronousEvents: true,
  autoPong: true,
  maxPayload: 1000,
  maxBufferedChunks: 10,
  maxFragments: 10,
  skipUTF8Validation: true,
  finishRequest: (request: http.ClientRequest, websocket: WebSocket) => {
    request.end();
    websocket.terminate();
  },
  ca: 'pem',
  cert: 'pem',
  key: 'pem'
};
const address: string | URL = new URL('ws://localhost');
const plain = new WebSocket('ws://localhost');
const detached = new WebSocket(null);
new WebSocket(address, options);
new WebSocket(address, 'protocol');
new WebSocket(address, ['a', 'b'], options);
new WebSocket(address, undefined, { timeout: 1, auth: 'a:b' });
const sameClass: typeof WebSocket = Named;
const ws: Named = plain;
const emitter: EventEmitter = ws;
class Custom extends WebSocket {
  id = 0;
}

// Constants and properties.
const states: [0, 1, 2, 3] = [
  WebSocket.CONNECTING,
  WebSocket.OPEN,
  WebSocket.CLOSING,
  WebSocket.CLOSED
];
const own: [0, 1, 2, 3] = [ws.CONNECTING, ws.OPEN, ws.CLOSING, ws.CLOSED];
const readyState: 0 | 1 | 2 | 3 = ws.readyState;
const isOpen: boolean = ws.readyState === WebSocket.OPEN;
ws.binaryType = 'nodebuffer';
ws.binaryType = 'arraybuffer';
ws.binaryType = 'fragments';
const amount: number = ws.bufferedAmount;
const strings: string[] = [ws.extensions, ws.protocol, ws.url];
const paused: boolean = ws.isPaused;

// Methods.
ws.close();
ws.close(1000, 'reason');
ws.close(1000, Buffer.from('reason'));
ws.ping();
ws.ping('data', true, (err: Error) => console.log(err.message));
ws.pong(Buffer.alloc(1), false);
ws.send('text');
ws.send(12);
ws.send(Buffer.alloc(1), (err?: Error) => console.log(err?.message));
ws.send(new Uint8Array(1), { binary: true, compress: false, fin: true, mask: undefined });
ws.send(new ArrayBuffer(1), { fin: false }, (err) => console.log(err?.stack));
ws.send(new SharedArrayBuffer(1));
ws.send(new DataView(new ArrayBuffer(1)));
ws.send(new Blob(['a']));
ws.send([1, 2, 3]);
ws.send({ valueOf: () => 'x' });
ws.terminate();
ws.pause();
ws.resume();

// Emitter events.
ws.on('open', function () {
  this.send('x');
})
  .on('message', function (data, isBinary) {
    const raw: WebSocket.RawData = data;
    const text: string = Array.isArray(raw) ? '' : raw.toString();
    this.send(isBinary ? text : data.toString());
  })
  .on('close', (code, reason) => console.log(code.toFixed(), reason.toString('utf8')))
  .on('error', (error) => console.log(error.message))
  .on('ping', (data) => console.log(data.readUInt8(0)))
  .on('pong', (data) => console.log(data.length))
  .on('upgrade', (response) => console.log(response.headers.upgrade))
  .on('redirect', (url, request) => request.setHeader('x', url))
  .on('unexpected-response', (request, response) => {
    console.log(response.statusCode);
    request.destroy();
  })
  .on('anything', (...args: unknown[]) => console.log(args.length));
ws.once('message', (data: WebSocket.RawData, isBinary: boolean) => console.log(data, isBinary));
ws.off('close', (code: number, reason: Buffer) => console.log(code, reason));
ws.addListener('pong', (data) => console.log(data.length));
ws.removeListener('error', (error) => console.log(error.name));

// Event target.
ws.onopen = (event: WebSocket.Event) => event.target.send(event.type);
ws.onmessage = (event: WebSocket.MessageEvent) => {
  const data: WebSocket.Data = event.data;
  console.log(data);
};
ws.onclose = (event: WebSocket.CloseEvent) => console.log(event.wasClean, event.code, event.reason);
ws.onerror = (event: WebSocket.ErrorEvent) => console.log(event.message, event.error);
ws.onopen = null;
const handler = (event: WebSocket.MessageEvent) => console.log(event.data);
ws.addEventListener('message', handler, { once: true });
ws.removeEventListener('message', handler);
ws.addEventListener('close', { handleEvent: (event) => console.log(event.code) });
ws.addEventListener('open', (event) => console.log(event.type));
ws.addEventListener('error', (event) => console.log(event.message));
const map: WebSocket.WebSocketEventMap['close'] | null = null;

// Servers.
const verifySync: WebSocket.VerifyClientCallbackSync = (info) =>
  info.origin === 'x' && info.secure && info.req.url === '/';
const verifyAsync: WebSocket.VerifyClientCallbackAsync = (info, callback) =>
  callback(info.secure, 401, 'no', { 'Retry-After': 1 });
const serverOptions: WebSocket.ServerOptions = {
  host: 'localhost',
  port: 0,
  backlog: 5,
  verifyClient: verifySync,
  handleProtocols: (protocols, request) => (request.url === '/' && [...protocols][0]) || false,
  path: '/path',
  noServer: false,
  allowSynchronousEvents: true,
  autoPong: false,
  clientTracking: true,
  perMessageDeflate: false,
  maxPayload: 1,
  maxBufferedChunks: 1,
  maxFragments: 1,
  skipUTF8Validation: false,
  WebSocket
};
const wss = new WebSocketServer(serverOptions, () => console.log('listening'));
new WebSocket.Server({ server: http.createServer(), verifyClient: verifyAsync });
new WebSocket.WebSocketServer({ noServer: true });
const declared: WebSocketServer = wss;
const alsoDeclared: WebSocket.Server = wss;
const bound: WebSocket.AddressInfo | string | null = wss.address();
const clients: Set<WebSocket> = wss.clients;
for (const client of wss.clients) {
  if (client !== ws && client.readyState === WebSocket.OPEN) client.send('all');
}
wss.close();
wss.close((err?: Error) => console.log(err?.message));
const path: string = wss.path;
const port: number | undefined = wss.options.port;
const httpServer = http.createServer();
httpServer.on('upgrade', (request, socket, head) => {
  if (!wss.shouldHandle(request)) return;
  wss.handleUpgrade(request, socket, head, (client, req) => wss.emit('connection', client, req));
});
wss
  .on('connection', function (websocket, request) {
    websocket.send(request.url ?? '');
    this.close();
  })
  .on('error', (error) => console.log(error.message))
  .on('headers', (headers, request) => headers.push(`X-Url: ${request.url}`))
  .on('close', () => console.log('closed'))
  .on('listening', () => console.log('listening'))
  .on('wsClientError', (error, socket, request) => socket.end(error.message + request.url));
wss.once('connection', (websocket) => websocket.ping());
wss.off('listening', () => {});
wss.addListener('headers', (headers) => headers.pop());
wss.removeListener('close', () => {});

// Subclasses as type arguments.
class Request extends http.IncomingMessage {
  user = '';
}
const typed = new WebSocketServer<typeof Custom, typeof Request>({ port: 0, WebSocket: Custom });
typed.on('connection', (websocket, request) => console.log(websocket.id, request.user));

// Streams.
const duplex: Duplex = createWebSocketStream(ws, { encoding: 'utf8', decodeStrings: false });
const other: Duplex = WebSocket.createWebSocketStream(ws);
duplex.pipe(other);

export {
  alsoDeclared,
  amount,
  bound,
  clients,
  declared,
  detached,
  emitter,
  isOpen,
  map,
  own,
  path,
  paused,
  port,
  readyState,
  sameClass,
  states,
  strings
};

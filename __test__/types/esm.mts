// The names and types that an ES module imports.

import WebSocket, {
  configureRuntime,
  createWebSocketStream,
  extension,
  PerMessageDeflate,
  Receiver,
  Sender,
  subprotocol,
  WebSocket as Named,
  WebSocketServer
} from '../../wrapper.mjs';
import type {
  AddressInfo,
  ClientOptions,
  ConnectionOptions,
  RawData,
  RuntimeOptions,
  Server,
  ServerOptions
} from '../../wrapper.mjs';
import Required from '../../index.js';

const sameClass: typeof WebSocket = Named;
const required: typeof WebSocket = Required;
const clientOptions: ClientOptions = { protocols: ['a'] };
const ws: WebSocket = new Named('ws://localhost', clientOptions);
const other: Named = ws;
const text = (data: RawData): string => data.toString();
const message: WebSocket.RawData = Buffer.alloc(1);

const serverOptions: ServerOptions = { port: 0 };
const wss: WebSocketServer = new WebSocketServer(serverOptions);
const server: Server = wss;
const bound = wss.address() as AddressInfo;
const common: ConnectionOptions = { maxPayload: bound.port };
const runtime: RuntimeOptions = { threads: 1 };
configureRuntime(runtime);

// @ts-expect-error: the class `Server` is for CommonJS only, as in ws; here it is a type
export const notThere = Server;

export {
  common,
  createWebSocketStream,
  extension,
  message,
  other,
  PerMessageDeflate,
  Receiver,
  required,
  sameClass,
  Sender,
  server,
  subprotocol,
  text
};

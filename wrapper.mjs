import WebSocket from './index.js';

export const {
  WebSocketServer,
  TlsConnector,
  createSecureContext,
  createWebSocketStream,
  Receiver,
  Sender,
  PerMessageDeflate,
  extension,
  subprotocol,
  configureRuntime
} = WebSocket;
export { WebSocket };
export default WebSocket;

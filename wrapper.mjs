import WebSocket from './index.js';

export const {
  WebSocketServer,
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

// index.d.ts for ES modules: the names that wrapper.mjs exports, and the types.

import WebSocket from './index.js';

export import AddressInfo = WebSocket.AddressInfo;
export import CertMeta = WebSocket.CertMeta;
export import ClientOptions = WebSocket.ClientOptions;
export import CloseEvent = WebSocket.CloseEvent;
export import ConnectionOptions = WebSocket.ConnectionOptions;
export import Data = WebSocket.Data;
export import ErrorEvent = WebSocket.ErrorEvent;
export import Event = WebSocket.Event;
export import EventListenerOptions = WebSocket.EventListenerOptions;
export import ExtensionValue = WebSocket.ExtensionValue;
export import FinishRequestCallback = WebSocket.FinishRequestCallback;
export import FrameOptions = WebSocket.FrameOptions;
export import MessageEvent = WebSocket.MessageEvent;
export import PerMessageDeflateOptions = WebSocket.PerMessageDeflateOptions;
export import RawData = WebSocket.RawData;
export import RuntimeOptions = WebSocket.RuntimeOptions;
export import SecureContext = WebSocket.SecureContext;
export import ServerOptions = WebSocket.ServerOptions;
export import ServerTlsOptions = WebSocket.ServerTlsOptions;
export import TlsConnectorOptions = WebSocket.TlsConnectorOptions;
export import TlsSocketInfo = WebSocket.TlsSocketInfo;
export import VerifyClientCallbackAsync = WebSocket.VerifyClientCallbackAsync;
export import VerifyClientCallbackSync = WebSocket.VerifyClientCallbackSync;
export import WebSocketEventMap = WebSocket.WebSocketEventMap;

export import WebSocketServer = WebSocket.WebSocketServer;
export type { Server } from './index.js';
export import TlsConnector = WebSocket.TlsConnector;
export import createSecureContext = WebSocket.createSecureContext;
export import configureRuntime = WebSocket.configureRuntime;
export import createWebSocketStream = WebSocket.createWebSocketStream;
export import Receiver = WebSocket.Receiver;
export import Sender = WebSocket.Sender;
export import PerMessageDeflate = WebSocket.PerMessageDeflate;
export import extension = WebSocket.extension;
export import subprotocol = WebSocket.subprotocol;

export { WebSocket };
export default WebSocket;

'use strict';

const WebSocket = require('./lib/websocket');
const WebSocketServer = require('./lib/websocket-server');
const { configureRuntime } = require('./lib/native');
const { TlsConnector } = require('./lib/tls-client');
const { createSecureContext } = require('./lib/tls-server');
const { extension, subprotocol } = require('./lib/header-lists');
const createWebSocketStream = require('./lib/stream');
const Receiver = require('./lib/receiver');
const Sender = require('./lib/sender');
const PerMessageDeflate = require('./lib/permessage-deflate');

WebSocket.WebSocket = WebSocket;
WebSocket.WebSocketServer = WebSocketServer;
WebSocket.Server = WebSocketServer;
WebSocket.TlsConnector = TlsConnector;
WebSocket.configureRuntime = configureRuntime;
WebSocket.createSecureContext = createSecureContext;
WebSocket.createWebSocketStream = createWebSocketStream;
WebSocket.Receiver = Receiver;
WebSocket.Sender = Sender;
WebSocket.PerMessageDeflate = PerMessageDeflate;
WebSocket.extension = extension;
WebSocket.subprotocol = subprotocol;

module.exports = WebSocket;

'use strict';

const WebSocket = require('./lib/websocket');
const WebSocketServer = require('./lib/websocket-server');
const { configureRuntime } = require('./lib/native');
const unsupported = require('./lib/unsupported');

WebSocket.WebSocket = WebSocket;
WebSocket.WebSocketServer = WebSocketServer;
WebSocket.Server = WebSocketServer;
WebSocket.configureRuntime = configureRuntime;
WebSocket.createWebSocketStream = unsupported.createWebSocketStream;
WebSocket.Receiver = unsupported.Receiver;
WebSocket.Sender = unsupported.Sender;
WebSocket.PerMessageDeflate = unsupported.PerMessageDeflate;
WebSocket.extension = unsupported.extension;
WebSocket.subprotocol = unsupported.subprotocol;

module.exports = WebSocket;

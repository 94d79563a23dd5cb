'use strict';

// The implementation against npm ws, each as the server and as the client.

const ws = require('ws');
const { once } = require('node:events');
const impl = require('../support/impl.js');
const { suite } = require('./ws-suite.js');

for (const { name, Server, Client } of [
  { name: 'client of npm ws', Server: impl.WebSocketServer, Client: ws.WebSocket },
  { name: 'server of npm ws', Server: ws.WebSocketServer, Client: impl.WebSocket }
]) {
  const listen = async (options) => {
    const wss = new Server({ host: '127.0.0.1', port: 0, ...options });
    await once(wss, 'listening');
    return { wss, url: `ws://127.0.0.1:${wss.address().port}` };
  };
  suite(name, listen, Client);
}

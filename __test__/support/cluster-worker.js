'use strict';

const WebSocket = require('./impl');

const wss = new WebSocket.Server({ port: Number(process.env.PORT), host: '127.0.0.1' });
wss.on('connection', (ws) => ws.send(String(process.pid)));
wss.on('listening', () => process.send('listening'));

'use strict';

// An echo server: node examples/echo.js [PORT]

const { WebSocketServer } = require('..');

const wss = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2] ?? 8080) });

wss.on('connection', (ws) => {
  ws.on('error', (err) => console.error(err.message));
  ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
});

wss.on('listening', () => console.log(`echo server on ws://127.0.0.1:${wss.address().port}`));
wss.on('error', (err) => {
  console.error(err.message);
  process.exitCode = 1;
});

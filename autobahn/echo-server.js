'use strict';

// The echo server that Autobahn's fuzzing client tests: node autobahn/echo-server.js [PORT]

const { WebSocketServer } = require('../__test__/support/impl.js');

const wss = new WebSocketServer({
  host: '127.0.0.1',
  port: Number(process.argv[2] ?? 0),
  perMessageDeflate: true,
  maxPayload: 128 * 1024 * 1024,
  maxFragments: 0 // 9.3.1, 9.3.2, 9.4.1 and 9.4.2 send more fragments than the default allows
});

wss.on('listening', () => console.log(`listening on ws://127.0.0.1:${wss.address().port}`));
wss.on('connection', (ws) => {
  ws.on('error', () => {}); // most cases break the protocol
  ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
});

'use strict';

// A worker of a cluster with a server over the carrier; see cluster.test.js.

const { createServer } = require('./carriers');

const wss = createServer({ port: 0 });
wss.on('connection', (ws) => {
  ws.send(String(process.pid));
  ws.on('message', (data, binary) => ws.send(data, { binary }));
});
wss.on('listening', () => process.send(wss.testUrl));
process.on('disconnect', () => process.exit());

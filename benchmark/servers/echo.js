'use strict';

// node echo.js hawser|ws [echo|keep|sink]
const implementation = process.argv[2];
const { WebSocketServer } = require(implementation === 'hawser' ? '../..' : 'ws');

const apps = require('./apps');
const { control } = require('./control');

const wss = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
const commands = apps[process.argv[3] ?? 'echo'](wss);

wss.on('listening', () => {
  control(commands);
  console.log(`listening ${wss.address().port}`);
});

'use strict';

// node echo.js hawser|ws [echo|keep|sink] [port|http|https|tls] [compression]
const [implementation, app = 'echo', listener = 'port', compression = 'off'] =
  process.argv.slice(2);
const { WebSocketServer } = require(implementation === 'hawser' ? '../..' : 'ws');

const apps = require('./apps');
const compressions = require('./compression');
const { control } = require('./control');
const listeners = require('./listen');

const { perMessageDeflate } = compressions[compression];
const wss = listeners[listener](WebSocketServer, { perMessageDeflate }, implementation);
const commands = apps[app](wss);

wss.on('listening', () => {
  control(commands);
  console.log(`listening ${wss.address().port}`);
});

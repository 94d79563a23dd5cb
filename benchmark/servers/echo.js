'use strict';

// node echo.js hawser|ws [echo|keep|sink] [port|http|https]
const [implementation, app = 'echo', listener = 'port'] = process.argv.slice(2);
const { WebSocketServer } = require(implementation === 'hawser' ? '../..' : 'ws');

const apps = require('./apps');
const { control } = require('./control');
const listeners = require('./listen');

const wss = listeners[listener](WebSocketServer);
const commands = apps[app](wss);

wss.on('listening', () => {
  control(commands);
  console.log(`listening ${wss.address().port}`);
});

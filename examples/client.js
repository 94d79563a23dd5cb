'use strict';

// Sends each line that is typed and prints what comes back: node examples/client.js [URL]

const readline = require('node:readline');
const WebSocket = require('..');

const ws = new WebSocket(process.argv[2] ?? 'ws://127.0.0.1:8080');
let input;

ws.on('open', () => {
  console.log('connected; type a line, Ctrl-D ends');
  input = readline.createInterface({ input: process.stdin });
  input.on('line', (line) => ws.send(line));
  input.on('close', () => ws.close(1000));
});
ws.on('message', (data, isBinary) => {
  console.log(isBinary ? `< ${data.length} bytes` : `< ${data}`);
});
ws.on('error', (err) => console.error(err.message));
ws.on('close', (code, reason) => {
  console.log(`closed: ${code} ${reason}`);
  input?.close();
});

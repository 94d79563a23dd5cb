'use strict';

// A chat room and live graphs on one port: `npm start`, then open the printed address.
// PORT and HOST choose where to listen (8080 on 127.0.0.1).

const fs = require('node:fs');
const path = require('node:path');
const { WebSocketServer } = require('../..');
const { LoadRunner } = require('./load-runner.js');
const { Room } = require('./room.js');
const { Stats } = require('./stats.js');

const PAGE_FILES = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/app.js': ['app.js', 'text/javascript; charset=utf-8'],
  '/chart.js': ['chart.js', 'text/javascript; charset=utf-8'],
  '/style.css': ['style.css', 'text/css; charset=utf-8']
};
const MAX_PAYLOAD = 64 * 1024;
const ECHO_HIGH_WATER = 1024 * 1024;
const STATS_INTERVAL_MS = 250;

const port = readPort(process.env.PORT ?? '8080');
const host = process.env.HOST || '127.0.0.1';
const page = loadPage();
const stats = new Stats();
const loadRunner = new LoadRunner();

const wss = new WebSocketServer({
  port,
  host,
  maxPayload: MAX_PAYLOAD,
  verifyClient: isSameOrigin
});
const room = new Room(loadRunner, stats);

wss.on('request', servePage);
wss.on('connection', onConnection);
wss.on('listening', onListening);
wss.on('error', onServerError);

const statsTimer = setInterval(pushStats, STATS_INTERVAL_MS);
process.once('SIGINT', stop);
process.once('SIGTERM', stop);

/** Browsers let any web page open a WebSocket to any host, so the server has to look at Origin. */
function isSameOrigin({ origin, req }) {
  if (!origin) return true; // not a browser
  return URL.canParse(origin) && new URL(origin).host === req.headers.host;
}

function servePage(req, res) {
  const file = page.get(req.url.split('?', 1)[0]);
  if (req.method !== 'GET' && req.method !== 'HEAD') {
    res.writeHead(405, { Allow: 'GET, HEAD' }).end();
  } else if (!file) {
    res.writeHead(404, { 'Content-Type': 'text/plain' }).end('Not found\n');
  } else {
    res.writeHead(200, {
      'Content-Type': file.type,
      'Content-Length': file.body.length,
      'Content-Security-Policy':
        "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:",
      'X-Content-Type-Options': 'nosniff',
      'Cache-Control': 'no-cache'
    });
    res.end(req.method === 'HEAD' ? undefined : file.body);
  }
}

function onConnection(ws, req) {
  ws.on('error', (err) => console.error(`connection failed: ${err.message}`));
  if (req.url === '/echo') echo(ws);
  else if (req.url === '/chat') room.add(ws);
  else ws.close(1008, 'no such endpoint');
}

/** What the simulated clients talk to. */
function echo(ws) {
  ws.on('message', (data, isBinary) => {
    stats.messages++;
    // A peer that sends without reading is not read from until its echoes have left.
    const isFull = ws.bufferedAmount > ECHO_HIGH_WATER;
    if (isFull) ws.pause();
    ws.send(data, { binary: isBinary }, isFull ? () => ws.resume() : undefined);
  });
}

function pushStats() {
  room.pushStats({
    type: 'stats',
    connections: wss.clients.size,
    ...stats.sample(),
    load: loadRunner.status()
  });
}

function onServerError(err) {
  if (err.code === 'EADDRINUSE') {
    console.error(`Port ${port} is in use. Stop what listens there, or take another port:`);
    console.error('  PORT=8081 npm start');
  } else {
    console.error(`The server failed: ${err.message}`);
  }
  process.exit(1);
}

function stop() {
  clearInterval(statsTimer);
  room.stop();
  loadRunner.stop();
  wss.close();
  for (const ws of wss.clients) ws.close(1001, 'server stops');
  setTimeout(() => process.exit(), 1000).unref();
}

function onListening() {
  const { address, family, port } = wss.address();
  const authority = `${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  // Listening on every interface; one of them is loopback.
  const reachable = authority.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:');
  loadRunner.url = `ws://${reachable}/echo`;
  console.log(`hawser demo: open http://${reachable}/`);
}

function readPort(text) {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= 65535) return value;
  console.error(`PORT must be a number from 0 to 65535, not "${text}".`);
  process.exit(1);
}

function loadPage() {
  const files = Object.entries(PAGE_FILES).map(([url, [name, type]]) => {
    return [url, { type, body: fs.readFileSync(path.join(__dirname, 'public', name)) }];
  });
  return new Map(files);
}

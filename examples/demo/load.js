'use strict';

// The simulated clients, forked by load-runner.js. Each one sends a burst of messages, waits for
// all the echoes, and sends the next burst. Reports four times a second.

const { performance } = require('node:perf_hooks');
const WebSocket = require('../..');

const REPORT_INTERVAL_MS = 250;
const MAX_SAMPLES = 10_000;

if (!process.send) {
  console.error('load.js is started by the demo server: run `npm start`.');
  process.exit(1);
}

const clients = new Set();
let connected = 0;
let isStopping = false;
let roundTrips = []; // ms, since the last report
let reportTimer;

process.once('message', start);
process.once('disconnect', stop);
// Ctrl-C in a terminal reaches this process as well; the server ends it.
process.on('SIGINT', () => {});

function start(settings) {
  for (let i = 0; i < settings.clients; i++) clients.add(connect(settings));
  reportTimer = setInterval(report, REPORT_INTERVAL_MS);
}

function connect({ url, size, burst }) {
  const ws = new WebSocket(url, { perMessageDeflate: false });
  const payload = Buffer.alloc(size, 'hawser ');
  let sentAt = 0;
  let missing = 0;

  const sendBurst = () => {
    sentAt = performance.now();
    missing = burst;
    for (let i = 0; i < burst; i++) ws.send(payload);
  };
  ws.on('open', () => {
    connected++;
    sendBurst();
    ws.on('close', () => connected--);
  });
  ws.on('message', () => {
    if (--missing > 0) return;
    if (roundTrips.length < MAX_SAMPLES) roundTrips.push(performance.now() - sentAt);
    if (!isStopping) sendBurst();
  });
  ws.on('error', (err) => {
    if (!isStopping) console.error(`load: ${err.message}`);
  });
  ws.on('close', () => clients.delete(ws));
  return ws;
}

function report() {
  const sorted = Float64Array.from(roundTrips).sort();
  roundTrips = [];
  process.send({
    connected,
    p50: sorted.length ? sorted[sorted.length >> 1] : null,
    p99: sorted.length ? sorted[Math.floor(sorted.length * 0.99)] : null
  });
}

/** Without sockets and timers the process ends by itself. */
function stop() {
  isStopping = true;
  clearInterval(reportTimer);
  for (const ws of clients) ws.close(1000);
  setTimeout(() => process.exit(), 2000).unref();
}

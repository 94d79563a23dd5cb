'use strict';

const nodeTest = require('node:test');
const { HOST, carrier, createClient, createHttpServer, createServer } = require('./carriers');

const isWs = process.env.HAWSER_TEST_IMPL === 'ws';
const WAIT = 8000;

/**
 * `node:test`'s test with a bound on its time: (title, fn) or (title, options, fn).
 * `options.carriers` is one of the lists of carriers.js, if not all of them make sense.
 */
function test(title, options, fn) {
  if (typeof options === 'function') [options, fn] = [{}, options];
  const { carriers, ...rest } = options;
  if (carriers && !carriers.includes(carrier)) rest.skip = `not over carrier ${carrier}`;
  return nodeTest.test(title, { timeout: 20000, ...rest }, fn);
}

/** A test of something that only hawser does. */
function hawserTest(title, options, fn) {
  if (typeof options === 'function') [options, fn] = [{}, options];
  return test(title, { ...options, skip: isWs ? 'hawser only' : options.skip }, fn);
}

/** Rejects when `promise` is not settled in time. */
function within(promise, what, ms = WAIT) {
  let timer;
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`timed out waiting for ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The arguments of the next `name` event; an 'error' that comes first rejects. */
function once(emitter, name, ms = WAIT) {
  let onEvent;
  let onError;
  const promise = new Promise((resolve, reject) => {
    onEvent = (...args) => resolve(args);
    onError = reject;
    emitter.on(name, onEvent);
    if (name !== 'error' && name !== 'close') emitter.on('error', onError);
  });
  return within(promise, `'${name}'`, ms).finally(() => {
    emitter.removeListener(name, onEvent);
    emitter.removeListener('error', onError);
  });
}

/** Collects every event of `names` as [name, ...args] in the order of arrival. */
function record(emitter, names) {
  const log = [];
  for (const name of names) emitter.on(name, (...args) => log.push([name, ...args]));
  return log;
}

/** The next `count` messages, as [data, isBinary]. */
function messages(ws, count, ms = WAIT) {
  const list = [];
  let onMessage;
  const promise = new Promise((resolve) => {
    onMessage = (data, isBinary) => {
      list.push([data, isBinary]);
      if (list.length === count) resolve(list);
    };
    ws.on('message', onMessage);
  });
  return within(promise, `${count} messages`, ms).finally(() =>
    ws.removeListener('message', onMessage)
  );
}

const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Polls until `predicate()` holds. */
async function until(predicate, what = 'condition', ms = WAIT) {
  const end = Date.now() + ms;
  while (!predicate()) {
    if (Date.now() > end) throw new Error(`timed out waiting for ${what}`);
    await delay(5);
  }
}

/** Terminates `ws`, whatever its state, without an unhandled 'error'. */
function discard(ws) {
  ws.on('error', () => {});
  ws.terminate();
}

/**
 * A listening server over the carrier, which is closed with its clients after the test.
 * `testUrl` and `testPort` are where it listens; `address()` is not there with every carrier.
 */
async function serve(t, options, onConnection) {
  const wss = createServer(options);
  const sockets = new Set();
  wss.on('connection', (ws) => {
    sockets.add(ws);
    ws.on('close', () => sockets.delete(ws));
  });
  if (onConnection) wss.on('connection', onConnection);
  t.after(async () => {
    const closed = new Promise((resolve) => wss.close(resolve));
    sockets.forEach(discard);
    try {
      await within(closed, 'the server to close');
    } finally {
      await closeHttpServer(wss.testServer);
    }
  });
  await once(wss, 'listening');
  return wss;
}

/**
 * The application's HTTP server over the carrier, listening on `testPort`. `testSockets` are the
 * WebSockets that are discarded before it is closed, after the test.
 */
async function listen(t, listener) {
  const server = createHttpServer(listener);
  const sockets = new Set();
  server.on('connection', (socket) => sockets.add(socket));
  server.testSockets = new Set();
  t.after(() => {
    server.testSockets.forEach(discard);
    for (const socket of sockets) socket.destroy();
    return closeHttpServer(server);
  });
  await new Promise((resolve) => server.listen(0, HOST, resolve));
  server.testPort = server.address().port;
  return server;
}

/** Closes a server of Node with the connections that it has not given away. */
function closeHttpServer(server) {
  if (!server) return undefined;
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  return within(closed, 'the HTTP server to close');
}

function echo(ws) {
  ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
}

/** A client over the carrier that is discarded after the test; it may still be CONNECTING. */
function dial(t, url, ...args) {
  const ws = createClient(url, ...args);
  t.after(() => discard(ws));
  return ws;
}

/** An open client. */
async function connect(t, url, ...args) {
  const ws = dial(t, url, ...args);
  await once(ws, 'open');
  return ws;
}

/** A server, a client connected to it, and the server's side of that connection. */
async function pair(t, serverOptions, clientOptions) {
  const wss = await serve(t, serverOptions);
  const connection = once(wss, 'connection');
  const client = dial(t, wss.testUrl, clientOptions);
  const opened = once(client, 'open');
  const [peer, req] = await connection;
  await opened;
  return { wss, client, peer, req };
}

module.exports = {
  HOST,
  WAIT,
  closeHttpServer,
  connect,
  delay,
  dial,
  discard,
  echo,
  hawserTest,
  isWs,
  listen,
  messages,
  once,
  pair,
  record,
  serve,
  test,
  turn,
  until,
  within
};

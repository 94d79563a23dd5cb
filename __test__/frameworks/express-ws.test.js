'use strict';

// Express with express-ws: the option `server`, and requests that run through Express' routers.

const assert = require('node:assert');
const http = require('node:http');
const { connect, dial, messages, once, within } = require('../support/helpers.js');
const { frameworkTest, load } = require('./support/load.js');
const { listen } = require('./support/http.js');

const express = load('express');
const expressWs = load('express-ws');

/** An application whose routes `define` adds; returns its WebSocketServer. */
async function start(t, define, wsOptions) {
  const app = express();
  const server = http.createServer(app);
  const instance = expressWs(app, server, { wsOptions });
  define(app, instance);
  const wss = instance.getWss();
  t.after(() => {
    for (const ws of wss.clients) ws.terminate();
  });
  wss.host = await listen(t, server);
  return wss;
}

/** A client of `path`, and the first message that it is sent. */
async function ask(t, wss, path, options) {
  const ws = dial(t, `ws://${wss.host}${path}`, options);
  const [data] = await once(ws, 'message');
  return { ws, answer: data.toString() };
}

frameworkTest('parameters, query and middlewares of a route', async (t) => {
  const wss = await start(t, (app) => {
    app.use((req, res, next) => {
      req.user = req.get('X-User');
      next();
    });
    app.ws('/rooms/:room', (ws, req) => {
      const { params, query, user } = req;
      ws.send(JSON.stringify({ params, query, user, ip: req.ip }));
    });
  });
  const { answer } = await ask(t, wss, '/rooms/7?as=guest', { headers: { 'X-User': 'Ada' } });
  assert.deepStrictEqual(JSON.parse(answer), {
    params: { room: '7' },
    query: { as: 'guest' },
    user: 'Ada',
    ip: '127.0.0.1'
  });
});

frameworkTest('a router of its own, and HTTP on the same path', async (t) => {
  const wss = await start(t, (app, { applyTo }) => {
    const router = express.Router();
    applyTo(router);
    router.get('/echo', (req, res) => res.send('plain HTTP'));
    router.ws('/echo', (ws) => {
      ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
    });
    app.use('/api', router);
  });
  const response = await fetch(`http://${wss.host}/api/echo`);
  assert.strictEqual(await response.text(), 'plain HTTP');

  const ws = await connect(t, `ws://${wss.host}/api/echo`);
  const large = Buffer.alloc(300_000, 'large');
  const echoes = messages(ws, 2);
  ws.send('hello');
  ws.send(large);
  assert.deepStrictEqual(await echoes, [
    [Buffer.from('hello'), false],
    [large, true]
  ]);
});

frameworkTest('a path without a route, and a middleware that refuses', async (t) => {
  const wss = await start(t, (app) => {
    app.use('/locked', (req, res) => res.status(401).end());
    app.ws('/locked', (ws) => ws.send('unreachable'));
  });
  for (const path of ['/nowhere', '/locked']) {
    const ws = dial(t, `ws://${wss.host}${path}`);
    ws.on('message', () => assert.fail('a message'));
    const [code] = await once(ws, 'close');
    assert.strictEqual(code, 1005, path);
  }
});

frameworkTest('broadcast to the clients of getWss()', async (t) => {
  const wss = await start(t, (app, { getWss }) => {
    app.ws('/chat', (ws) => {
      ws.send('welcome');
      ws.on('message', (data) => {
        for (const client of getWss().clients) client.send(data.toString());
      });
    });
  });
  const first = await ask(t, wss, '/chat');
  const second = await ask(t, wss, '/chat');
  assert.strictEqual(wss.clients.size, 2);
  const received = Promise.all([once(first.ws, 'message'), once(second.ws, 'message')]);
  second.ws.send('to all');
  assert.deepStrictEqual((await received).map(String), ['to all,false', 'to all,false']);

  const [peer] = wss.clients;
  const gone = once(peer, 'close');
  first.ws.close(4000);
  assert.strictEqual((await gone)[0], 4000);
  assert.strictEqual(wss.clients.size, 1);
});

frameworkTest('wsOptions reach the server', async (t) => {
  const wss = await start(t, (app) => app.ws('/', (ws) => ws.on('error', () => {})), {
    maxPayload: 10,
    verifyClient: ({ req }) => req.headers['x-token'] === 'yes',
    handleProtocols: (protocols) => [...protocols].at(-1)
  });
  const refused = dial(t, `ws://${wss.host}/`);
  const [error] = await once(refused, 'error');
  assert.strictEqual(error.message, 'Unexpected server response: 401');

  const headers = { 'X-Token': 'yes' };
  const ws = await connect(t, `ws://${wss.host}/`, ['first', 'second'], { headers });
  assert.strictEqual(ws.protocol, 'second');
  const closed = once(ws, 'close');
  ws.send('more than ten bytes');
  assert.strictEqual((await closed)[0], 1009);
});

frameworkTest('closing server and WebSocketServer', async (t) => {
  const app = express();
  const server = http.createServer(app);
  const wss = expressWs(app, server).getWss();
  app.ws('/', (ws) => ws.send('hello'));
  wss.host = await listen(t, server);
  const { ws } = await ask(t, wss, '/');
  const ended = Promise.all([
    new Promise((resolve) => wss.close(resolve)),
    new Promise((resolve) => server.close(resolve)),
    once(ws, 'close')
  ]);
  const [peer] = wss.clients;
  peer.close(1001, 'going away');
  const [, , [code, reason]] = await within(ended, 'the end of all');
  assert.strictEqual(code, 1001);
  assert.strictEqual(reason.toString(), 'going away');
});

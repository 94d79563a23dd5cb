'use strict';

// One side is a WebSocket, the other one writes and reads bytes.

const { dial, once, serve } = require('./helpers');
const { rawAcceptor, rawClient } = require('./raw-peer');

/** A server with one connection: its WebSocket, the request, and the raw peer at the other end. */
async function serverAndWire(t, options, onConnection) {
  const wss = await serve(t, options, onConnection);
  const connection = once(wss, 'connection');
  const raw = await rawClient(t, wss.testPort);
  const [ws, req] = await connection;
  return { wss, ws, req, raw };
}

/** An open client, and the raw server that it is connected to. */
async function clientAndWire(t, options) {
  const server = await rawAcceptor(t);
  const client = dial(t, server.url, options);
  const [raw] = await Promise.all([server.next(), once(client, 'open')]);
  return { client, raw };
}

module.exports = { clientAndWire, serverAndWire };

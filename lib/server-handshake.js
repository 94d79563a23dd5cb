'use strict';

const http = require('http');

const { incomingRequest } = require('./request');
const NativeSocket = require('./native-socket');
const events = require('./events');
const native = require('./native');
const Target = require('./target');

const RUNNING = 0;

/** Answers a good upgrade request that the application has a say in. */
function respond(server, conn, event) {
  const pending = new PendingUpgrade(server, conn, event);
  const { req } = pending;
  if (!server.shouldHandle(req)) {
    pending.refuse(400);
    return;
  }
  const { verifyClient } = server.options;
  if (!verifyClient) {
    pending.accept();
    return;
  }
  const info = {
    origin: req.headers[event.version === 8 ? 'sec-websocket-origin' : 'origin'],
    secure: false,
    req
  };
  if (verifyClient.length === 2) {
    verifyClient(info, (verified, code, message, headers) => {
      if (verified) pending.accept();
      else pending.refuse(code || 401, message, headers);
    });
  } else if (verifyClient(info)) {
    pending.accept();
  } else {
    pending.refuse(401);
  }
}

/** An upgrade request that waits for an answer; the first one counts. */
class PendingUpgrade extends Target {
  #server;
  #conn;
  #event;
  #answered = false;
  #socket = null;

  constructor(server, conn, event) {
    super();
    this.#server = server;
    this.#conn = conn;
    this.#event = event;
    this.req = incomingRequest(event.request, () => {
      this.#socket = new NativeSocket(conn, event.peer, null);
      return this.#socket;
    });
    events.add(conn, this);
  }

  accept() {
    if (this.#answered) return;
    if (this.#server._state > RUNNING) {
      this.refuse(503);
      return;
    }
    this.#answered = true;
    const event = this.#event;
    const headers = [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${event.accept}`
    ];
    const protocol = this.#chooseProtocol();
    if (protocol) headers.push(`Sec-WebSocket-Protocol: ${protocol}`);
    this.#server.emit('headers', headers, this.req);
    const head = Buffer.from(`${headers.concat('\r\n').join('\r\n')}`, 'latin1');
    native.respond(this.#conn, head, true);
    this.#server._opened(this.#conn, { peer: event.peer, protocol }, this.req, this.#socket);
  }

  refuse(code, message, headers) {
    if (this.#answered) return;
    this.#answered = true;
    const head = Buffer.from(refusal(code, message, headers));
    native.respond(this.#conn, head, false);
  }

  // ---- the native side's calls; see lib/events.js ----

  /** The application writes on the request's socket before it is a WebSocket's. */
  _written(count) {
    this.#socket?._written(count);
  }

  /** The connection is gone before it was opened. */
  _closed() {
    this.#answered = true;
    if (this.#socket !== null) this.#socket._connectionClosed();
  }

  #chooseProtocol() {
    const { protocols } = this.#event;
    if (protocols.length === 0) return undefined;
    const { handleProtocols } = this.#server.options;
    return handleProtocols ? handleProtocols(new Set(protocols), this.req) : protocols[0];
  }
}

/** A complete response that refuses, in ws's words. */
function refusal(code, message, headers) {
  message ||= http.STATUS_CODES[code];
  const fields = {
    Connection: 'close',
    'Content-Type': 'text/html',
    'Content-Length': Buffer.byteLength(message),
    ...headers
  };
  const lines = Object.keys(fields).map((name) => `${name}: ${fields[name]}`);
  return `HTTP/1.1 ${code} ${http.STATUS_CODES[code]}\r\n${lines.join('\r\n')}\r\n\r\n${message}`;
}

/** Refuses on a socket, and closes it. */
function refuse(socket, code, message, flatHeaders) {
  const headers = {};
  for (let i = 0; i + 1 < flatHeaders.length; i += 2) headers[flatHeaders[i]] = flatHeaders[i + 1];
  socket.once('finish', socket.destroy);
  socket.end(refusal(code, message, headers));
}

module.exports = { refuse, respond };

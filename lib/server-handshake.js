'use strict';

const http = require('http');
const { createHash } = require('crypto');

const { incomingRequest } = require('./request');
const { subprotocol } = require('./header-lists');
const { GUID, kWebSocket } = require('./constants');
const asyncContext = require('./async-context');
const deflateOptions = require('./deflate-options');
const NativeSocket = require('./native-socket');
const events = require('./events');
const native = require('./native');
const Target = require('./target');

const RUNNING = 0;

/** RFC 6455 section 4.2.1: base64 of 16 bytes. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;

const ORIGINS = { 8: 'sec-websocket-origin', 13: 'origin' };

/** Answers a good upgrade request of a native connection that the application has a say in. */
function respond(server, conn, event) {
  const pending = new NativeUpgrade(server, conn, event);
  if (server.shouldHandle(pending.req)) verify(server, pending, event.version);
  else pending.refuse(400);
}

/**
 * Judges an upgrade request that Node has read, and answers it: `callback(ws, req)` is for a good
 * one. The checks and their order are those of the native side, see src/proto/handshake/server.rs.
 */
function upgrade(server, req, socket, head, callback) {
  const onError = () => socket.destroy();
  socket.on('error', onError);
  const bad = (status, message, headers) =>
    clientError(server, req, socket, { status, message, headers });

  if (req.method !== 'GET') {
    bad(405, 'Invalid HTTP method');
    return;
  }
  if (req.headers.upgrade?.toLowerCase() !== 'websocket') {
    bad(400, 'Invalid Upgrade header');
    return;
  }
  const key = req.headers['sec-websocket-key'];
  if (key === undefined || !KEY.test(key)) {
    bad(400, 'Missing or invalid Sec-WebSocket-Key header');
    return;
  }
  const version = Number(req.headers['sec-websocket-version']);
  if (ORIGINS[version] === undefined) {
    bad(400, 'Missing or invalid Sec-WebSocket-Version header', {
      'Sec-WebSocket-Version': '13, 8'
    });
    return;
  }
  if (!server.shouldHandle(req)) {
    refuse(socket, 400);
    return;
  }
  let protocols = new Set();
  const offered = req.headers['sec-websocket-protocol'];
  if (offered !== undefined) {
    try {
      protocols = subprotocol.parse(offered);
    } catch {
      bad(400, 'Invalid Sec-WebSocket-Protocol header');
      return;
    }
  }
  try {
    acceptedExtensions(server, req);
  } catch {
    bad(400, 'Invalid or unacceptable Sec-WebSocket-Extensions header');
    return;
  }
  const accept = createHash('sha1')
    .update(key + GUID)
    .digest('base64');
  const pending = new SocketUpgrade({
    server,
    req,
    socket,
    head,
    callback,
    onError,
    accept,
    protocols
  });
  verify(server, pending, version);
}

/** Lets `verifyClient` decide, if there is one. */
function verify(server, pending, version) {
  const { verifyClient } = server.options;
  if (!verifyClient) {
    pending.accept();
    return;
  }
  const { req } = pending;
  const info = { origin: req.headers[ORIGINS[version]], secure: pending.isSecure, req };
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

/** The upgrade request of a native connection, until it is answered; the first answer counts. */
class NativeUpgrade extends Target {
  #server;
  #conn;
  #event;
  #answered = false;
  #socket = null;

  constructor(server, conn, event) {
    super(asyncContext.capture());
    this.#server = server;
    this.#conn = conn;
    this.#event = event;
    this.isSecure = event.peer.tls !== undefined;
    this.req = incomingRequest(event.request, () => {
      this.#socket = NativeSocket.of(conn, event.peer, null);
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
    const { accept, extensions, peer, protocols } = event;
    const protocol = chooseProtocol(this.#server, new Set(protocols), this.req);
    const head = responseHead(this.#server, this.req, { accept, extensions, protocol });
    native.respond(this.#conn, head, true);
    this.#server._opened(this.#conn, { extensions, peer, protocol }, this.req, this.#socket);
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
}

/** An upgrade request that Node has read. */
class SocketUpgrade {
  #parts;

  constructor(parts) {
    this.#parts = parts;
    this.req = parts.req;
  }

  get isSecure() {
    const { socket } = this.req;
    return Boolean(socket.authorized || socket.encrypted);
  }

  accept() {
    const { server, req, socket, head, callback, onError, accept, protocols } = this.#parts;
    // the peer may have left while the application decided
    if (!socket.readable || !socket.writable) {
      socket.destroy();
      return;
    }
    if (socket[kWebSocket]) {
      throw new Error(
        'server.handleUpgrade() was called more than once with the same ' +
          'socket, possibly due to a misconfiguration'
      );
    }
    if (server._state > RUNNING) {
      refuse(socket, 503);
      return;
    }
    const { options } = server;
    const ws = new options.WebSocket(null, undefined, options);
    const protocol = chooseProtocol(server, protocols, req);
    if (protocol) ws._protocol = protocol;
    // again: the budget may be used up by now
    const extensions = acceptedExtensions(server, req);
    ws._agree(extensions, options);
    ws._response = responseHead(server, req, { accept, extensions, protocol });
    const handle = socket._handle ?? req.socket?._handle;
    if (handle) asyncContext.inherit(ws._context, handle);
    socket.removeListener('error', onError);
    ws._server = server;
    ws.setSocket(socket, head, options);
    if (server.clients) server.clients.add(ws);
    callback(ws, req);
  }

  refuse(code, message, headers) {
    refuse(this.#parts.socket, code, message, headers);
  }
}

function chooseProtocol(server, protocols, req) {
  if (protocols.size === 0) return undefined;
  const { handleProtocols } = server.options;
  return handleProtocols ? handleProtocols(protocols, req) : protocols.values().next().value;
}

/** The answer to the extensions on offer; none if we want none of them. Throws for a bad offer. */
function acceptedExtensions({ options }, req) {
  const offered = req.headers['sec-websocket-extensions'];
  if (!options.perMessageDeflate || offered === undefined) return undefined;
  return native.acceptDeflateOffer(offered, deflateOptions(options.perMessageDeflate, true));
}

/** The response that opens the connection; listeners of 'headers' may change it. */
function responseHead(server, req, { accept, extensions, protocol }) {
  const headers = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`
  ];
  if (protocol) headers.push(`Sec-WebSocket-Protocol: ${protocol}`);
  if (extensions) headers.push(`Sec-WebSocket-Extensions: ${extensions}`);
  server.emit('headers', headers, req);
  return Buffer.from(headers.concat('\r\n').join('\r\n'));
}

/** The client's own fault: 'wsClientError' may answer it. */
function clientError(server, req, socket, { status, message, headers }) {
  if (server.listenerCount('wsClientError') === 0) {
    refuse(socket, status, message, headers);
    return;
  }
  const error = new Error(message);
  Error.captureStackTrace(error, clientError);
  server.emit('wsClientError', error, socket, req);
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
function refuse(socket, code, message, headers) {
  socket.once('finish', socket.destroy);
  socket.end(refusal(code, message, headers));
}

module.exports = { clientError, respond, upgrade };

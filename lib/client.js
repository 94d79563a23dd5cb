'use strict';

const dns = require('dns');
const net = require('net');
const { performance } = require('perf_hooks');

const { connectError, handshakeError } = require('./errors');
const {
  complete,
  needsNode,
  parseUrl,
  parseProtocols,
  requestHeaders,
  targetOf
} = require('./client-options');
const { RequestHandshake, fail } = require('./client-request');
const { incomingResponse } = require('./request');
const { RETRY, refuseOwn, secureTarget, tlsError } = require('./tls-client');
const connectionOptions = require('./connection-options');
const deflateOptions = require('./deflate-options');
const events = require('./events');
const native = require('./native');
const HandshakeRequest = require('./handshake-request');
const NativeSocket = require('./native-socket');
const outgoing = require('./outgoing');
const Target = require('./target');

/** As `net.setDefaultAutoSelectFamilyAttemptTimeout` has it, for Nodes that cannot be asked. */
const ATTEMPT_TIMEOUT = 250;

/** Begins the opening handshake of `ws`. Throws for bad arguments; all else is an event. */
function connect(ws, address, protocols, options) {
  if (
    protocols !== undefined &&
    !Array.isArray(protocols) &&
    typeof protocols === 'object' &&
    protocols !== null
  ) {
    options = protocols;
    protocols = undefined;
  }
  const opts = complete(options);
  if (protocols === undefined) protocols = opts.protocols;
  const url = parseUrl(address);
  ws._url = url.href;
  const target = targetOf(url);
  const offered = parseProtocols(protocols);
  const secure = target.isSecure ? secureTarget(opts, target) : undefined;
  if (secure === null || needsNode(opts)) {
    refuseOwn(opts);
    ws._request = new RequestHandshake(ws, opts, offered);
    ws._request.begin(address, target);
    return;
  }
  const request = {
    address,
    opts,
    target,
    secure,
    headers: requestHeaders(opts, target, offered),
    protocols: offered,
    timer: null,
    began: performance.now(),
    failure: null,
    peer: null
  };
  if (opts.generateMask) outgoing.setGenerateMask(ws, opts.generateMask);
  ws._request = request;
  ws._req = new HandshakeRequest(request, (error) => giveUp(ws, error));
  native.hold();
  if (opts.handshakeTimeout) {
    request.timer = setTimeout(timedOut, opts.handshakeTimeout, ws);
    request.timer.unref();
  }
  if (target.socketPath !== undefined) process.nextTick(dial, ws, []);
  else lookUp(ws);
}

function lookUp(ws) {
  const { opts, target } = ws._request;
  const { host } = target;
  if (net.isIP(host)) {
    process.nextTick(dial, ws, [host]);
    return;
  }
  const lookup = opts.lookup ?? dns.lookup;
  const isFixed = opts.family === 4 || opts.family === 6;
  // the default is that of Node's sockets
  const hints = opts.hints || (isFixed || process.platform === 'win32' ? 0 : dns.ADDRCONFIG);
  const wanted = { family: opts.family, hints };
  const selects = opts.autoSelectFamily ?? net.getDefaultAutoSelectFamily?.() ?? true;
  const all = selects && !isFixed && !opts.localAddress;
  if (all) wanted.all = true;
  const found = (err, address) => {
    if (ws._request === null) return;
    if (err) {
      process.nextTick(failHandshake, ws, err);
      return;
    }
    const addresses = Array.isArray(address) ? address.map((entry) => entry.address) : [address];
    const bad = addresses.findIndex((entry) => !net.isIP(entry));
    if (addresses.length === 0 || bad !== -1) {
      const error = new TypeError(`Invalid IP address: ${addresses[bad]}`);
      error.code = 'ERR_INVALID_IP_ADDRESS';
      process.nextTick(failHandshake, ws, error);
      return;
    }
    dial(ws, addresses);
  };
  try {
    lookup(host, wanted, found);
  } catch (err) {
    process.nextTick(failHandshake, ws, err);
  }
}

function dial(ws, addresses) {
  const request = ws._request;
  if (request === null || request.failure !== null) return;
  const { opts, target } = request;
  try {
    const options = {
      addresses,
      port: Number(target.port),
      socketPath: target.socketPath,
      attemptTimeout:
        opts.autoSelectFamilyAttemptTimeout ??
        net.getDefaultAutoSelectFamilyAttemptTimeout?.() ??
        ATTEMPT_TIMEOUT,
      localAddress: opts.localAddress,
      localPort: opts.localPort,
      serverName: request.secure?.serverName,
      target: target.target,
      headers: request.headers,
      protocols: request.protocols,
      connection: connectionOptions(opts, deflateOptions(opts.perMessageDeflate, false))
    };
    ws._conn = native.connect(options, request.secure?.context);
  } catch (err) {
    process.nextTick(failHandshake, ws, err);
    return;
  }
  events.add(ws._conn, new Handshake(ws));
}

/** What the events of a connection go to until it is open. */
class Handshake extends Target {
  constructor(ws) {
    super(ws._context);
    this.ws = ws;
  }

  _notice(event) {
    notice(this.ws, event);
  }

  _closed() {
    const { ws } = this;
    ws._conn = -1;
    const request = ws._request;
    if (request === null) return;
    failHandshake(ws, request.failure ?? handshakeError({ message: 'socket hang up' }));
  }
}

/** An event of the handshake. */
function notice(ws, event) {
  const request = ws._request;
  if (request === null) return;
  switch (event.kind) {
    case 'connected':
      request.peer = event.peer;
      break;
    case 'connectFailed':
      request.failure ??= connectError(event.errors);
      break;
    case 'responseFailed':
      responseFailed(ws, request, event.error);
      break;
    case 'response':
      answered(ws, request, event);
      break;
  }
}

function responseFailed(ws, request, parts) {
  if (request.failure !== null) return;
  const error = request.secure && tlsError(parts, request.secure);
  if (error === RETRY) {
    retry(ws, request);
    return;
  }
  request.failure = error ?? handshakeError(parts);
  native.terminate(ws._conn);
}

/** Node's TLS may get along with a server that rustls does not: it makes a connection of its own. */
function retry(ws, { address, opts, protocols, target, timer, began }) {
  clearTimeout(timer);
  if (opts.handshakeTimeout) {
    const left = opts.handshakeTimeout - (performance.now() - began);
    opts = { ...opts, handshakeTimeout: Math.max(1, Math.ceil(left)) };
  }
  events.add(ws._conn, new Target(ws._context));
  native.terminate(ws._conn);
  ws._conn = -1;
  native.unhold();
  ws._req = null;
  ws._request = new RequestHandshake(ws, opts, protocols);
  ws._request.begin(address, target);
}

function answered(ws, request, event) {
  if (request.failure !== null) return;
  if (event.tls !== undefined) {
    const { serverName } = request.secure;
    event.tls.identity = serverName;
    event.tls.serverName = net.isIP(serverName) ? undefined : serverName;
    request.peer.tls = event.tls;
  }
  if (event.response.status === 101) {
    ws._peer = request.peer;
    ws.emit(
      'upgrade',
      incomingResponse(event.response, () => ws._socket)
    );
    // the listener may have given up on us
    if (ws._readyState !== 0 || request.failure !== null) return;
  }
  if (event.unexpected && ws.listenerCount('unexpected-response') > 0) {
    handOver(ws, request);
    return;
  }
  if (event.error !== undefined) {
    request.failure = handshakeError(event.error);
    native.terminate(ws._conn);
    return;
  }
  clearTimeout(request.timer);
  const conn = ws._conn;
  ws._request = null;
  ws._req = null;
  ws._open(conn, request.peer, event, request.opts);
  native.unhold();
  ws.emit('open');
}

/** The application wants to see the response that is no upgrade: Node's HTTP client reads it. */
function handOver(ws, { address, opts, peer, protocols, target, timer }) {
  clearTimeout(timer);
  const socket = NativeSocket.answered(ws._conn, peer);
  if (opts.handshakeTimeout) socket.setTimeout(opts.handshakeTimeout);
  native.pause(ws._conn, false);
  ws._conn = -1;
  native.unhold();
  ws._request = new RequestHandshake(ws, opts, protocols);
  ws._request.resume(address, target, socket);
}

function timedOut(ws) {
  abort(ws, 'Opening handshake has timed out');
}

/** Gives the handshake up; the error comes asynchronously. */
function giveUp(ws, error) {
  const request = ws._request;
  if (request === null || request.failure !== null) return;
  request.failure = error;
  if (ws._conn !== -1) native.terminate(ws._conn);
  process.nextTick(failHandshake, ws, error);
}

function abort(ws, message) {
  const request = ws._request;
  if (request instanceof RequestHandshake) {
    request.abort(message);
    return;
  }
  ws._readyState = 2;
  giveUp(ws, new Error(message));
}

/** 'error', and 'close' in the same tick. */
function failHandshake(ws, error) {
  const request = ws._request;
  if (request === null) return;
  clearTimeout(request.timer);
  native.unhold();
  if (ws._conn !== -1) native.terminate(ws._conn);
  ws._peer = null;
  fail(ws, error);
}

module.exports = { abort, connect, notice };

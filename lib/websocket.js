'use strict';

const { Buffer } = require('buffer');

const EventEmitter = require('events');

const { BINARY_TYPES, CLOSE_TIMEOUT, EMPTY_BUFFER, FastBuffer, SEND } = require('./constants');
const { destroyedError, protocolError, systemError } = require('./errors');
const { EventTarget, defineAttributes } = require('./event-target');
const { isBlob, isValidStatusCode, toBuffer } = require('./validation');
const bufferedCounter = require('./buffered-counter');
const client = require('./client');
const HeldEvents = require('./held-events');
const events = require('./events');
const native = require('./native');
const NativeSocket = require('./native-socket');

const readyStates = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'];
const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3];

/** A WebSocket with the API of ws; see index.d.ts. */
class WebSocket extends EventEmitter {
  /**
   * @param {string|URL|null} address null makes an object without a connection, as servers do
   * @param {string|string[]} [protocols]
   * @param {object} [options]
   */
  constructor(address, protocols, options) {
    super();

    this._binaryType = BINARY_TYPES[0];
    this._closeCode = 1006;
    this._closeFrameReceived = false;
    this._closeFrameSent = false;
    this._closeMessage = EMPTY_BUFFER;
    this._errorEmitted = false;
    this._extensions = {};
    this._isServer = false;
    this._paused = false;
    this._protocol = '';
    this._readyState = CONNECTING;

    /** The native connection's id; -1 without one. */
    this._conn = -1;
    /** Memory of the counters behind `bufferedAmount`, and where in it ours are. */
    this._counters = null;
    this._counterIndex = 0;
    /** Bytes given to the native side, framing included. */
    this._queuedBytes = 0;
    /** Bytes that were given too late to be sent, and those that wait behind a Blob. */
    this._lateBytes = 0;
    /** Callbacks of sends under way, in order. */
    this._callbacks = null;
    /** Events that wait because of pause() or allowSynchronousEvents: false. */
    this._held = null;
    /** Sends that wait for a Blob to be read. */
    this._deferred = null;
    this._generateMask = null;
    this._nativeSocket = null;
    /** For lib/events.js: the turn and the read of the last event. */
    this._lastTurn = 0;
    this._lastRead = 0;
    this._peer = null;
    this._server = null;
    this._allowSynchronousEvents = true;

    if (address !== null) {
      client.connect(this, address, protocols, options);
    } else {
      this._isServer = true;
      this._closeTimeout = options?.closeTimeout ?? CLOSE_TIMEOUT;
    }
  }

  /** How binary messages arrive; setting anything else than the four types is ignored. */
  get binaryType() {
    return this._binaryType;
  }

  set binaryType(type) {
    if (BINARY_TYPES.includes(type)) this._binaryType = type;
  }

  /** Bytes queued and not yet handed to the operating system, framing included. */
  get bufferedAmount() {
    if (this._counters === null) return this._lateBytes;
    const at = this._counterIndex;
    const unapplied = this._queuedBytes - this._counters[at];
    return unapplied + this._counters[at + 1] + this._lateBytes;
  }

  get extensions() {
    return Object.keys(this._extensions).join();
  }

  get isPaused() {
    return this._paused;
  }

  get protocol() {
    return this._protocol;
  }

  get readyState() {
    return this._readyState;
  }

  get url() {
    return this._url;
  }

  /** The connection's socket, as far as it can be had: see lib/native-socket.js. */
  get _socket() {
    if (this._nativeSocket === null && this._peer !== null) {
      this._nativeSocket = new NativeSocket(this._conn, this._peer, this);
    }
    return this._nativeSocket;
  }

  // ---- the application's calls ----

  /**
   * Sends a message.
   *
   * @param {*} data a string is text, a number becomes one; all else that `Buffer.from` takes and
   *   Blobs are binary
   * @param {{ binary?: boolean, compress?: boolean, fin?: boolean, mask?: boolean }} [options]
   * @param {Function} [cb] called when the message is handed to the operating system
   * @throws {Error} while CONNECTING
   */
  send(data, options, cb) {
    if (this._readyState === CONNECTING) {
      throw new Error('WebSocket is not open: readyState 0 (CONNECTING)');
    }
    if (typeof options === 'function') {
      cb = options;
      options = undefined;
    }
    if (typeof data === 'number') data = data.toString();
    if (this._readyState !== OPEN) {
      sendAfterClose(this, data, cb);
      return;
    }

    let flags = this._isServer ? SEND.FIN : SEND.FIN | SEND.MASK;
    let binary = typeof data !== 'string';
    if (options) {
      if ('binary' in options) binary = options.binary;
      if ('fin' in options && !options.fin) flags &= ~SEND.FIN;
      if ('mask' in options) flags = options.mask ? flags | SEND.MASK : flags & ~SEND.MASK;
    }
    if (binary) flags |= SEND.BINARY;
    if (this._deferred === null && !isBlob(data)) sendNow(this, data || EMPTY_BUFFER, flags, cb);
    else defer(this, data || EMPTY_BUFFER, (bytes) => sendNow(this, bytes, flags, cb), cb);
  }

  /** @throws {RangeError} when `data` is over 125 bytes */
  ping(data, mask, cb) {
    control(this, native.ping, data, mask, cb);
  }

  /** @throws {RangeError} when `data` is over 125 bytes */
  pong(data, mask, cb) {
    control(this, native.pong, data, mask, cb);
  }

  /**
   * Starts the closing handshake.
   *
   * @param {number} [code]
   * @param {string|Buffer} [reason] at most 123 bytes
   */
  close(code, reason) {
    if (this._readyState === CLOSED) return;
    if (this._readyState === CONNECTING) {
      client.abort(this, 'WebSocket was closed before the connection was established');
      return;
    }
    if (this._readyState === CLOSING) return;

    const body = closeBody(code, reason);
    this._readyState = CLOSING;
    if (this._deferred === null) closeNow(this, body);
    else this._deferred.push(() => closeNow(this, body));
  }

  /** Destroys the connection. */
  terminate() {
    if (this._readyState === CLOSED) return;
    if (this._readyState === CONNECTING) {
      client.abort(this, 'WebSocket was closed before the connection was established');
      return;
    }
    this._readyState = CLOSING;
    if (this._conn !== -1) native.terminate(this._conn);
  }

  /** Stops the delivery of events at once; the peer feels it when the credit is used up. */
  pause() {
    if (this._readyState === CONNECTING || this._readyState === CLOSED) return;
    if (this._paused) return;
    this._paused = true;
    this._held ??= new HeldEvents(this);
    this._held.throttle();
  }

  resume() {
    if (this._readyState === CONNECTING || this._readyState === CLOSED) return;
    if (!this._paused) return;
    this._paused = false;
    this._held.plan();
  }

  _autoPong(data) {
    const flags = this._isServer ? SEND.AUTO : SEND.AUTO | SEND.MASK;
    sendControl(this, native.pong, flags, data);
  }

  // ---- the native side's calls; see lib/events.js ----

  /** The connection is open: `conn` is its id. */
  _open(conn, peer, protocol, options) {
    this._conn = conn;
    this._peer = peer;
    this._protocol = protocol ?? '';
    this._allowSynchronousEvents = options.allowSynchronousEvents !== false;
    if (!this._allowSynchronousEvents) this._held = new HeldEvents(this);
    bufferedCounter.attach(this, conn);
    events.add(conn, this);
    this._readyState = OPEN;
  }

  _message(data, isBinary) {
    if (this._held !== null) this._held.push(emitMessage, data, isBinary);
    else emitMessage(this, data, isBinary);
  }

  /** `pongWanted`: the I/O thread has left the automatic pong to us. */
  _ping(data, pongWanted) {
    if (this._held !== null) this._held.push(pinged, data, pongWanted);
    else pinged(this, data, pongWanted);
  }

  _pong(data) {
    if (this._held !== null) this._held.push(emitPong, data);
    else this.emit('pong', data);
  }

  _closeFrame(code, reason) {
    if (this._held !== null) this._held.push(concluded, code, reason);
    else concluded(this, code, reason);
  }

  /** `count` more sends with a callback are written. */
  _written(count) {
    if (this._callbacks !== null) callBack(this._callbacks.splice(0, count));
  }

  /** The peer has ended its half. */
  _ended() {
    if (this._held !== null) this._held.push(peerEnded);
    else peerEnded(this);
  }

  /** The connection is gone; `errno` says why, 0 = nothing went wrong. */
  _closed(errno) {
    this._conn = -1;
    const error = errno === 0 ? destroyedError() : systemError('read', { errno });
    if (this._callbacks !== null) callBack(this._callbacks.splice(0), error);
    if (this._nativeSocket !== null) this._nativeSocket._connectionClosed();
    if (this._held !== null) {
      // what was received before the end is delivered before the end
      this._paused = false;
      this._held.push(ended);
      if (this._allowSynchronousEvents) this._held.deliver();
    } else {
      ended(this);
    }
  }

  _notice(event) {
    if (event.kind === 'failed') {
      if (this._held !== null) this._held.push(failed, event.error);
      else failed(this, event.error);
    } else {
      client.notice(this, event);
    }
  }
}

readyStates.forEach((name, value) => {
  const descriptor = { enumerable: true, value };
  Object.defineProperty(WebSocket, name, descriptor);
  Object.defineProperty(WebSocket.prototype, name, descriptor);
});

for (const name of [
  'binaryType',
  'bufferedAmount',
  'extensions',
  'isPaused',
  'protocol',
  'readyState',
  'url'
]) {
  Object.defineProperty(WebSocket.prototype, name, { enumerable: true });
}

defineAttributes(WebSocket.prototype);
WebSocket.prototype.addEventListener = EventTarget.addEventListener;
WebSocket.prototype.removeEventListener = EventTarget.removeEventListener;

module.exports = WebSocket;

// ---- sending ----

function sendNow(ws, data, flags, cb) {
  const conn = ws._conn;
  if (conn === -1) {
    // gone, but its last events are held: 'close' is yet to come
    sendAfterClose(ws, data, cb);
    return;
  }
  let key = 0;
  if (ws._generateMask !== null && (flags & SEND.MASK) !== 0) {
    key = client.maskKey(ws);
    flags |= SEND.KEY;
  }
  if (cb) flags = expectWritten(ws, flags, cb);
  let length;
  if (typeof data === 'string') {
    length = native.sendText(conn, flags, data, key);
  } else {
    const bytes = toBuffer(data);
    length = bytes.length;
    native.sendData(conn, flags, bytes, key);
  }
  ws._queuedBytes += frameLength(length, flags);
}

/** Has `cb` called when what is queued next is written; returns the flags with the request. */
function expectWritten(ws, flags, cb) {
  if (ws._callbacks === null) ws._callbacks = [cb];
  else ws._callbacks.push(cb);
  native.setAckTarget(ws);
  return flags | SEND.ACK;
}

/** RFC 6455 section 5.2. */
function frameLength(length, flags) {
  const header = length < 126 ? 2 : length < 65536 ? 4 : 10;
  return length + ((flags & SEND.MASK) !== 0 ? header + 4 : header);
}

/** Runs `send` when all Blobs before it, and `data` if it is one, have been read. */
function defer(ws, data, send, cb) {
  const queue = (ws._deferred ??= []);
  const size = isBlob(data) ? data.size : 0;
  ws._lateBytes += size;
  const run = async () => {
    let bytes = data;
    if (isBlob(data)) {
      try {
        bytes = new FastBuffer(await data.arrayBuffer());
      } catch (err) {
        process.nextTick(blobFailed, ws, err, cb);
        return;
      } finally {
        ws._lateBytes -= size;
      }
    }
    if (ws._conn === -1) {
      if (cb) cb(destroyedError());
      return;
    }
    send(bytes);
  };
  queue.push(run);
  if (queue.length === 1) drainDeferred(ws, queue);
}

async function drainDeferred(ws, queue) {
  while (queue.length > 0) {
    await queue[0]();
    queue.shift();
  }
  ws._deferred = null;
}

function blobFailed(ws, err, cb) {
  if (cb) cb(err);
  if (ws._readyState !== CLOSED) ws.terminate();
  ws._errorEmitted = true;
  ws.emit('error', err);
}

/** Calls callbacks of sends; one that throws does not keep the others from being called. */
function callBack(callbacks, error) {
  for (let i = 0; i < callbacks.length; i++) {
    try {
      if (error === undefined) callbacks[i]();
      else callbacks[i](error);
    } catch (err) {
      process.nextTick(callBack, callbacks.slice(i + 1), error);
      throw err;
    }
  }
}

function control(ws, send, data, mask, cb) {
  if (ws._readyState === CONNECTING) {
    throw new Error('WebSocket is not open: readyState 0 (CONNECTING)');
  }
  if (typeof data === 'function') {
    cb = data;
    data = mask = undefined;
  } else if (typeof mask === 'function') {
    cb = mask;
    mask = undefined;
  }
  if (typeof data === 'number') data = data.toString();
  if (ws._readyState !== OPEN) {
    sendAfterClose(ws, data, cb);
    return;
  }
  if (mask === undefined) mask = !ws._isServer;
  const bytes = toBuffer(data || EMPTY_BUFFER);
  if (bytes.length > 125) throw new RangeError('The data size must not be greater than 125 bytes');
  const flags = mask ? SEND.MASK : 0;
  if (ws._deferred === null) sendControl(ws, send, flags, bytes, cb);
  else ws._deferred.push(() => sendControl(ws, send, flags, bytes, cb));
}

function sendControl(ws, send, flags, bytes, cb) {
  if (ws._conn === -1) {
    if (cb) cb(destroyedError());
    return;
  }
  let key = 0;
  if (ws._generateMask !== null && (flags & SEND.MASK) !== 0) {
    key = client.maskKey(ws);
    flags |= SEND.KEY;
  }
  if (cb) flags = expectWritten(ws, flags, cb);
  send(ws._conn, flags, bytes, key);
  ws._queuedBytes += frameLength(bytes.length, flags);
}

/** Too late to be sent: counted, and reported through the callback. */
function sendAfterClose(ws, data, cb) {
  if (data) {
    ws._lateBytes += isBlob(data) ? data.size : toBuffer(data).length;
  }
  if (cb) {
    const state = ws._readyState;
    const err = new Error(`WebSocket is not open: readyState ${state} (${readyStates[state]})`);
    process.nextTick(cb, err);
  }
}

/** The arguments of close(), checked. */
function closeBody(code, reason) {
  if (code === undefined) return { code: 0, reason: EMPTY_BUFFER };
  if (typeof code !== 'number' || !isValidStatusCode(code)) {
    throw new TypeError('First argument must be a valid error code number');
  }
  if (reason === undefined || !reason.length) return { code, reason: EMPTY_BUFFER };
  if (typeof reason !== 'string' && !(reason instanceof Uint8Array)) {
    throw new TypeError('Second argument must be a string or a Uint8Array');
  }
  const bytes = typeof reason === 'string' ? Buffer.from(reason) : toBuffer(reason);
  if (bytes.length > 123) throw new RangeError('The message must not be greater than 123 bytes');
  return { code, reason: bytes };
}

function closeNow(ws, { code, reason }) {
  ws._closeFrameSent = true;
  if (ws._conn === -1) return;
  let flags = ws._isServer ? 0 : SEND.MASK;
  let key = 0;
  if (ws._generateMask !== null) {
    key = client.maskKey(ws);
    flags |= SEND.KEY;
  }
  native.close(ws._conn, flags, code, reason, key);
  ws._queuedBytes += frameLength(code === 0 ? 0 : 2 + reason.length, flags);
}

// ---- receiving ----

function emitMessage(ws, data, isBinary) {
  ws.emit('message', isBinary ? convert(data, ws._binaryType) : data, isBinary);
}

function convert(data, type) {
  switch (type) {
    case 'arraybuffer':
      return data.byteLength === data.buffer.byteLength
        ? data.buffer
        : data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
    case 'fragments':
      return data.length === 0 ? [] : [data];
    case 'blob':
      return new Blob([data]);
    default:
      return data;
  }
}

function pinged(ws, data, pongWanted) {
  if (pongWanted && ws._readyState === OPEN) ws._autoPong(data);
  ws.emit('ping', data);
}

function emitPong(ws, data) {
  ws.emit('pong', data);
}

/** The peer's close frame: it is answered, after everything that was sent so far. */
function concluded(ws, code, reason) {
  if (ws._errorEmitted) return;
  ws._closeFrameReceived = true;
  ws._closeMessage = reason;
  ws._closeCode = code === 0 ? 1005 : code;
  if (code === 0) ws.close();
  else ws.close(code, reason);
}

/** The peer broke the protocol. */
function failed(ws, parts) {
  const error = protocolError(parts);
  ws.close(parts.closeCode);
  if (ws._errorEmitted) return;
  ws._errorEmitted = true;
  ws.emit('error', error);
}

/** Without a close frame that is the end: 1006. */
function peerEnded(ws) {
  if (ws._conn === -1) return;
  ws._readyState = CLOSING;
  native.end(ws._conn);
}

/** Everything from before the end is delivered. */
function ended(ws) {
  ws._held = null;
  ws._counters = null;
  if (ws._server !== null) ws._server._forget(ws);
  ws._readyState = CLOSED;
  ws.emit('close', ws._closeCode, ws._closeMessage);
}

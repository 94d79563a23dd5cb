'use strict';

const net = require('net');
const { Buffer } = require('buffer');

const { systemError } = require('./errors');
const ActivityTimer = require('./activity-timer');
const connectionOptions = require('./connection-options');
const deflateOptions = require('./deflate-options');
const events = require('./events');
const native = require('./native');
const outgoing = require('./outgoing');

const kCarrier = Symbol('carrier');

/**
 * A `net.Socket` whose bytes are moved by an I/O thread, on a descriptor of its own. Node's socket
 * keeps the identity: addresses, settings, `destroy()`, 'close', and its place in its server's
 * count.
 */
class AdoptedCarrier {
  /** Bytes do not pass through the stream that `socket` is. */
  bypassesStream = true;
  /** Bytes in each direction, as they stood when the connection ended. */
  #final = null;
  #timer = null;

  constructor(ws, conn, socket) {
    this.ws = ws;
    this.conn = conn;
    this.socket = socket;
  }

  /**
   * Takes `socket` over for `ws`, or returns null if it is not one that can be: then its bytes have
   * to be relayed.
   *
   * @param {import('./websocket')} ws
   * @param {import('stream').Duplex} socket
   * @param {Buffer} head what was received with the handshake
   * @param {Buffer} response what goes out first
   * @param {object} options limits and manners
   */
  static adopt(ws, socket, head, response, options) {
    if (!isPlain(socket)) return null;
    const early = socket.readableLength > 0 ? socket.read() : null;
    const deflate =
      ws._deflate === null ? undefined : deflateOptions(ws._deflate.options, ws._isServer);
    const received = early === null ? head : Buffer.concat([head, early]);
    const conn = native.adopt(
      socket._handle.fd,
      ws._isServer,
      response,
      received,
      connectionOptions(options, deflate),
      ws._deflate?.header
    );
    if (conn === null) {
      if (early !== null) socket.unshift(early);
      return null;
    }
    socket._handle.readStop();
    const carrier = new AdoptedCarrier(ws, conn, socket);
    Object.setPrototypeOf(socket, AdoptedSocket.prototype);
    socket[kCarrier] = carrier;
    // a connection that breaks must not take the process with it
    socket.on('error', ignore);
    socket.on('newListener', tapForData);
    return carrier;
  }

  get received() {
    return this.#final === null ? this.ws._transferred(2) : this.#final.received;
  }

  /** Bytes written and bytes that wait for it, as with Node's own. */
  get sent() {
    return this.#final === null ? this.ws._transferred(3) + this.ws._unsent() : this.#final.sent;
  }

  get timer() {
    this.#timer ??= new ActivityTimer(this.socket, () => this.received + this.sent);
    return this.#timer;
  }

  /** Node moves nothing here. */
  start() {}

  /** Nothing is written that the I/O thread does not know. */
  unreported() {
    return 0;
  }

  report() {}

  pinged() {}

  /** `ws.pause()` shows in the socket. */
  setPaused(paused) {
    if (paused) net.Socket.prototype.pause.call(this.socket);
    else net.Socket.prototype.resume.call(this.socket);
  }

  terminate() {
    this.socket.destroy();
  }

  /** The socket is destroyed. */
  socketGone() {
    if (this.conn !== -1) native.terminate(this.conn);
    this.#timer?.stop();
  }

  // ---- the native side's calls; see lib/websocket.js ----

  _beforeClosed() {
    this.#final = { received: this.received, sent: this.sent };
  }

  /** `gone` is called when the socket is closed, before other listeners of its 'close'. */
  _connectionClosed(errno, gone) {
    this.conn = -1;
    const { socket } = this;
    if (socket.closed) {
      gone();
      return;
    }
    socket.prependOnceListener('close', gone);
    if (!socket.destroyed) {
      socket.destroy(errno === 0 ? undefined : systemError('read', { errno }));
    }
  }
}

/** What such a socket does otherwise than other sockets. Never constructed. */
class AdoptedSocket extends net.Socket {
  get bytesRead() {
    return super.bytesRead + this[kCarrier].received;
  }

  get bytesWritten() {
    return super.bytesWritten + this[kCarrier].sent;
  }

  setTimeout(timeout, callback) {
    if (this.destroyed) return this;
    this.timeout = timeout;
    this[kCarrier].timer.set(timeout, callback);
    return this;
  }

  pause() {
    const { ws, conn } = this[kCarrier];
    if (conn !== -1) ws._stop();
    return super.pause();
  }

  resume() {
    this[kCarrier].ws._flow();
    return super.resume();
  }

  ref() {
    events.ref(this[kCarrier].conn);
    return this;
  }

  unref() {
    events.unref(this[kCarrier].conn);
    return this;
  }

  _read() {}

  _write(chunk, encoding, callback) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
    outgoing.writeRaw(this[kCarrier].ws, bytes, callback);
  }

  _final(callback) {
    const { conn } = this[kCarrier];
    if (conn !== -1) native.end(conn);
    callback();
  }

  _destroy(err, callback) {
    this[kCarrier].socketGone();
    super._destroy(err, callback);
  }
}

// one write at a time: they are gathered on the way
AdoptedSocket.prototype._writev = undefined;
AdoptedSocket.prototype.constructor = net.Socket;

/** A socket of Node's and nothing else, at rest, with a descriptor. */
function isPlain(socket) {
  return (
    Object.getPrototypeOf(socket) === net.Socket.prototype &&
    socket._handle?.fd >= 0 &&
    socket.writableLength === 0 &&
    !socket.destroyed &&
    !socket.writableEnded &&
    // somebody else wants to see or to change the bytes
    socket.listenerCount('data') === 0 &&
    !Object.hasOwn(socket, 'write')
  );
}

function ignore() {}

/** Who listens to the bytes gets to see them. */
function tapForData(name) {
  const { conn } = this[kCarrier];
  if (name === 'data' && conn !== -1) native.tap(conn);
}

module.exports = AdoptedCarrier;

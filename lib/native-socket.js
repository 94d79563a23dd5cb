'use strict';

const { Duplex } = require('stream');
const { isIPv6 } = require('net');

const { SEND } = require('./constants');
const { destroyedError } = require('./errors');
const { toBuffer } = require('./validation');
const events = require('./events');
const native = require('./native');

/**
 * What of a `net.Socket` can be had of a connection that lives on an I/O thread.
 *
 * With a WebSocket (`ws._socket`, `req.socket`) reading belongs to the WebSocket: `write` sends
 * raw bytes between its frames, `end` and `destroy` are the connection's. Without one (a refused
 * or plain HTTP request) it is an ordinary stream of bytes.
 */
class NativeSocket extends Duplex {
  #conn;
  #peer;
  #ws;
  #raw = false;
  #callbacks = [];
  #timeout = null;
  #timeoutMs = 0;
  #endReceived = false;

  /**
   * @param {number} conn
   * @param {object} peer addresses
   * @param {WebSocket|null} ws null as long as the handshake is not over
   */
  constructor(conn, peer, ws) {
    super({ allowHalfOpen: true, emitClose: false });
    this.#conn = conn;
    this.#peer = peer;
    this.#ws = ws;
    /** For lib/events.js: the turn and the read of the last event. */
    this._lastTurn = 0;
    this._lastRead = 0;
    // as ws does: a connection that breaks must not take the process with it
    this.on('error', () => {});
  }

  /** The stream of a connection without a WebSocket. */
  static raw(conn, peer) {
    const socket = new NativeSocket(conn, peer, null);
    socket.#raw = true;
    events.add(conn, socket);
    return socket;
  }

  get remoteAddress() {
    return this.#peer.remoteAddress;
  }

  get remotePort() {
    return this.#peer.remotePort;
  }

  get remoteFamily() {
    return family(this.#peer.remoteAddress);
  }

  get localAddress() {
    return this.#peer.localAddress;
  }

  get localPort() {
    return this.#peer.localPort;
  }

  get localFamily() {
    return family(this.#peer.localAddress);
  }

  get encrypted() {
    return undefined;
  }

  get connecting() {
    return false;
  }

  get readyState() {
    return this.#conn === -1 ? 'closed' : 'open';
  }

  get timeout() {
    return this.#timeoutMs;
  }

  address() {
    const { localAddress: address, localPort: port } = this.#peer;
    return address === undefined ? {} : { address, family: family(address), port };
  }

  setNoDelay(on = true) {
    if (this.#conn !== -1) native.setNoDelay(this.#conn, Boolean(on));
    return this;
  }

  setKeepAlive(on = false, initialDelay = 0) {
    if (this.#conn !== -1) native.setKeepAlive(this.#conn, Boolean(on), Number(initialDelay) || 0);
    return this;
  }

  /** Emits 'timeout' once nothing has been written, nor raw bytes read, for `ms` milliseconds. */
  setTimeout(ms, callback) {
    clearTimeout(this.#timeout);
    this.#timeout = null;
    this.#timeoutMs = ms;
    if (callback) {
      if (ms === 0) this.removeListener('timeout', callback);
      else this.once('timeout', callback);
    }
    this.#active();
    return this;
  }

  ref() {
    return this;
  }

  unref() {
    return this;
  }

  destroySoon() {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', this.destroy);
  }

  // ---- Duplex ----

  _read() {
    if (this.#raw && this.#conn !== -1) native.pause(this.#conn, false);
  }

  _write(chunk, encoding, callback) {
    if (this.#conn === -1) {
      callback(destroyedError());
      return;
    }
    this.#active();
    const bytes = toBuffer(chunk);
    if (this.#ws === null) {
      this.#callbacks.push(callback);
    } else {
      (this.#ws._callbacks ??= []).push(callback);
      this.#ws._queuedBytes += bytes.length;
    }
    native.raw(this.#conn, SEND.ACK, bytes);
  }

  _final(callback) {
    if (this.#conn !== -1) native.end(this.#conn);
    callback();
  }

  _destroy(err, callback) {
    clearTimeout(this.#timeout);
    if (this.#conn === -1) {
      callback(err);
      return;
    }
    native.terminate(this.#conn);
    callback(err);
  }

  /** The handshake is over: the connection is `ws`'s. */
  _attach(ws) {
    this.#ws = ws;
  }

  // ---- the native side's calls; see lib/events.js ----

  _notice(event) {
    this.#active();
    if (event.kind === 'rawData') {
      if (!this.push(event.data)) native.pause(this.#conn, true);
    } else if (event.kind === 'rawEnd') {
      this.#endReceived = true;
      this.push(null);
      // as net.Socket: 'end' comes without a reader when nothing is left to read
      this.read(0);
    }
  }

  _written(count) {
    for (const callback of this.#callbacks.splice(0, count)) callback();
  }

  _closed() {
    this._connectionClosed();
  }

  /** The connection is gone. */
  _connectionClosed() {
    this.#conn = -1;
    for (const callback of this.#callbacks.splice(0)) callback(destroyedError());
    if (this.#raw && !this.#endReceived && !this.readableEnded) this.push(null);
    const hadError = Boolean(this.errored);
    this.destroy();
    process.nextTick(emitClose, this, hadError);
  }

  #active() {
    if (this.#timeoutMs === 0) return;
    if (this.#timeout === null) {
      this.#timeout = setTimeout(() => this.emit('timeout'), this.#timeoutMs);
      this.#timeout.unref();
    } else {
      this.#timeout.refresh();
    }
  }
}

function emitClose(socket, hadError) {
  socket.emit('close', hadError);
}

function family(address) {
  if (address === undefined) return undefined;
  return isIPv6(address) ? 'IPv6' : 'IPv4';
}

module.exports = NativeSocket;

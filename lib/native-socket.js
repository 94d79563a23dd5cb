'use strict';

const { Duplex } = require('stream');
const { isIPv6 } = require('net');

const { SEND } = require('./constants');
const { destroyedError } = require('./errors');
const { toBuffer } = require('./validation');
const ActivityTimer = require('./activity-timer');
const asyncContext = require('./async-context');
const events = require('./events');
const native = require('./native');
const outgoing = require('./outgoing');
const withTls = require('./native-tls-socket');

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
  /** Bytes of a WebSocket do not pass through the stream that this is. */
  bypassesStream = true;
  #raw = false;
  #callbacks = [];
  #endReceived = false;
  /** Bytes in each direction without a WebSocket, or before it. */
  #received = 0;
  #sent = 0;
  /** Both, as they stood when the connection ended. */
  #final = null;
  #timer = new ActivityTimer(this, () => this.bytesRead + this.bytesWritten);

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
    /** For lib/events.js: where its events are emitted, the turn and the read of the last one. */
    this._context = asyncContext.capture();
    this._lastTurn = 0;
    this._lastRead = 0;
    // as ws does: a connection that breaks must not take the process with it
    this.on('error', () => {});
    this.on('newListener', (name) => {
      // who listens to the bytes of a WebSocket gets to see them
      if (name === 'data' && this.#ws !== null && this.#conn !== -1) native.tap(this.#conn);
    });
  }

  /** Of a connection with or without TLS. */
  static of(conn, peer, ws) {
    return peer.tls === undefined
      ? new NativeSocket(conn, peer, ws)
      : new NativeTlsSocket(conn, peer, ws);
  }

  /** The stream of a connection without a WebSocket. */
  static raw(conn, peer) {
    const socket = NativeSocket.of(conn, peer, null);
    socket.#raw = true;
    events.add(conn, socket);
    return socket;
  }

  /** The same for a connection on which the request has been sent: Node's client sends it again. */
  static answered(conn, peer) {
    const socket = NativeSocket.raw(conn, peer);
    socket._write = (chunk, encoding, callback) => callback();
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
    return this.#timer.timeout;
  }

  get bytesRead() {
    if (this.#final !== null) return this.#final.received;
    return this.#ws === null ? this.#received : this.#ws._transferred(2);
  }

  get bytesWritten() {
    if (this.#final !== null) return this.#final.sent;
    return this.#ws === null ? this.#sent : this.#ws._transferred(3) + this.#ws._unsent();
  }

  /** Of a WebSocket's: `fd` is a number that no other open connection has. */
  get _handle() {
    return this.#conn === -1 || this.#ws === null ? null : { fd: this.#conn + 1 };
  }

  /** For lib/websocket.js, which has carriers of other kinds too. */
  get socket() {
    return this;
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

  /** Emits 'timeout' once nothing has been read or written for `timeout` milliseconds. */
  setTimeout(timeout, callback) {
    if (this.destroyed) return this;
    this.#timer.set(timeout, callback);
    return this;
  }

  ref() {
    events.ref(this.#conn);
    return this;
  }

  unref() {
    events.unref(this.#conn);
    return this;
  }

  /** Stops the reading of a WebSocket too. */
  pause() {
    if (this.#conn !== -1) this.#ws?._stop();
    return super.pause();
  }

  resume() {
    this.#ws?._flow();
    return super.resume();
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
    const bytes = toBuffer(chunk);
    if (this.#ws !== null) {
      outgoing.writeRaw(this.#ws, bytes, callback);
      return;
    }
    this.#sent += bytes.length;
    this.#callbacks.push(callback);
    native.raw(this.#conn, SEND.ACK, bytes);
  }

  _final(callback) {
    if (this.#conn !== -1) native.end(this.#conn);
    callback();
  }

  _destroy(err, callback) {
    this.#timer.stop();
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
    if (this.listenerCount('data') > 0) native.tap(this.#conn);
  }

  // ---- the native side's calls; see lib/events.js ----

  _notice(event) {
    if (event.kind === 'rawData') {
      this.#received += event.data.length;
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

  _beforeClosed() {
    this.#final = { received: this.bytesRead, sent: this.bytesWritten };
  }

  /** `ws.pause()` shows in the socket. */
  setPaused(paused) {
    if (paused) super.pause();
    else super.resume();
  }

  /** Nothing is written that the I/O thread does not know. */
  unreported() {
    return 0;
  }

  report() {}

  pinged() {}

  terminate() {
    this.destroy();
  }

  /** The connection is gone. */
  _connectionClosed(errno, gone) {
    this.#conn = -1;
    for (const callback of this.#callbacks.splice(0)) callback(destroyedError());
    if (this.#raw && !this.#endReceived && !this.readableEnded) this.push(null);
    const hadError = Boolean(this.errored);
    this.destroy();
    process.nextTick(emitClose, this, hadError);
    gone?.();
  }
}

function emitClose(socket, hadError) {
  socket.emit('close', hadError);
}

function family(address) {
  if (address === undefined) return undefined;
  return isIPv6(address) ? 'IPv6' : 'IPv4';
}

const NativeTlsSocket = withTls(NativeSocket);

module.exports = NativeSocket;

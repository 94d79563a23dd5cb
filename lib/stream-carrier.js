'use strict';

const { Buffer } = require('buffer');

const connectionOptions = require('./connection-options');
const events = require('./events');
const native = require('./native');
const outgoing = require('./outgoing');

/** As twice CONSUMED_STEP in src/transport/relay.rs: with more on its way the stream is paused. */
const FEED_MAX = 256 * 1024;

/** So many written bytes are reported at once; a callback that waits has them reported sooner. */
const REPORT_STEP = 64 * 1024;

/**
 * A connection over any Duplex: what it reads goes to the connection on the I/O thread, and what
 * the connection wants written comes back.
 */
class StreamCarrier {
  /** All bytes pass through `socket`. */
  bypassesStream = false;
  /** What the stream has failed with. */
  error;
  /** Bytes that the stream has written, in all. */
  written = 0;
  #unreported = 0;
  #unconsumed = 0;
  /** Lengths of the writes under way. */
  #writes = [];
  #isFull = false;
  #isPaused = false;
  /** The stream's own methods, and what takes their place. */
  #own;
  #ours;
  #listeners;

  constructor(ws, conn, socket) {
    this.ws = ws;
    this.conn = conn;
    this.socket = socket;
    this.#ours = { write: this.#write, end: this.#endStream };
    // streams of other kinds keep no process alive
    if (socket.unref) Object.assign(this.#ours, { ref: this.#ref, unref: this.#unref });
    const { write, end, ref, unref } = socket;
    this.#own = { write, end, ref, unref };
    this.#listeners = {
      data: (chunk) => this.#feed(chunk),
      end: () => this.#end(false),
      close: () => this.#closed(),
      finish: () => this.#finished()
    };
  }

  /** Puts `ws` onto `socket`; `head` is what was received already, `response` goes out first. */
  static relay(ws, socket, head, response, options) {
    const conn = native.relay(ws._isServer, connectionOptions(options));
    if (response.length > 0) socket.write(response);
    if (head.length > 0) socket.unshift(head);
    return new StreamCarrier(ws, conn, socket);
  }

  /** Begins to read. */
  start() {
    const { socket } = this;
    // as ws does: a connection that breaks must not take the process with it
    socket.on('error', (err) => {
      this.error ??= err;
      socket.destroy();
    });
    for (const name of Object.keys(this.#ours)) socket[name] = this.#ours[name];
    for (const name of Object.keys(this.#listeners)) socket.on(name, this.#listeners[name]);
    // it may be over already
    if (socket.destroyed) process.nextTick(this.#listeners.close);
    else if (socket.readableEnded) process.nextTick(this.#listeners.end);
  }

  /** Bytes that are written, of which the I/O thread has not been told. */
  unreported(known) {
    return this.written - known;
  }

  setPaused(paused) {
    this.#isPaused = paused;
    this.#flow();
  }

  /** What was sent before, if there is any, comes back to be written first. */
  terminate() {
    if (this.conn !== -1) native.terminate(this.conn);
    if (this.ws._unsent() === 0) this.socket.destroy();
  }

  // ---- what the application writes on the stream: behind what the WebSocket has sent ----

  #write = (chunk, encoding, callback) => {
    const { socket, ws } = this;
    if (this.conn === -1 || ws._unsent() === 0) {
      return this.#own.write.call(socket, chunk, encoding, callback);
    }
    if (typeof encoding === 'function') {
      callback = encoding;
      encoding = undefined;
    }
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
    outgoing.sendRaw(ws, [bytes], callback);
    return !socket.writableNeedDrain;
  };

  #endStream = (chunk, encoding, callback) => {
    const { socket, ws } = this;
    if (this.conn === -1 || ws._unsent() === 0) {
      return this.#own.end.call(socket, chunk, encoding, callback);
    }
    const done = [chunk, encoding, callback].find((arg) => typeof arg === 'function');
    if (done !== undefined) socket.once('finish', done);
    if (chunk !== undefined && chunk !== null && chunk !== done) this.#write(chunk, encoding);
    native.end(this.conn);
    return socket;
  };

  #ref = () => {
    events.ref(this.ws);
    return this.#own.ref.call(this.socket);
  };

  #unref = () => {
    events.unref(this.ws);
    return this.#own.unref.call(this.socket);
  };

  // ---- the stream's events ----

  #feed(chunk) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    if (this.conn === -1) return;
    this.#unconsumed += bytes.length;
    native.feed(this.conn, bytes);
    if (this.#unconsumed >= FEED_MAX && !this.#isFull) {
      this.#isFull = true;
      this.#flow();
    }
  }

  #flow() {
    if (this.socket.destroyed) return;
    if (this.#isFull || this.#isPaused) this.socket.pause();
    else this.socket.resume();
  }

  #end(isGone) {
    if (this.conn !== -1) native.feedEnd(this.conn, isGone);
  }

  /** What the stream has received and not handed out yet is still delivered. */
  #closed() {
    const { socket } = this;
    const state = socket._readableState;
    if (state && !state.endEmitted && state.length > 0) {
      const rest = socket.read(state.length);
      if (rest !== null) this.#feed(rest);
    }
    this.#end(true);
  }

  #finished() {
    if (this.conn !== -1) native.ended(this.conn);
  }

  #wrote = (err) => {
    const length = this.#writes.shift();
    if (err) {
      this.error ??= err;
      return;
    }
    this.written += length;
    this.#unreported += length;
    if (this.conn === -1) return;
    if (this.#unreported >= REPORT_STEP || this.ws._callbacks?.length > 0) this.report();
  };

  /** Tells the I/O thread what is written. */
  report() {
    if (this.#unreported === 0 || this.conn === -1) return;
    native.confirm(this.conn, this.#unreported);
    this.#unreported = 0;
  }

  // ---- the native side's calls; see lib/websocket.js ----

  _output(bytes) {
    const { socket } = this;
    if (!socket.writable) return;
    this.#writes.push(bytes.length);
    this.#own.write.call(socket, bytes, this.#wrote);
  }

  _outputEnd() {
    if (this.socket.writableFinished) this.#finished();
    else this.#own.end.call(this.socket);
  }

  _consumed(count) {
    this.#unconsumed -= count;
    if (this.#isFull && this.#unconsumed < FEED_MAX) {
      this.#isFull = false;
      this.#flow();
    }
  }

  _beforeClosed() {}

  _connectionClosed() {
    this.conn = -1;
    const { socket } = this;
    for (const name of Object.keys(this.#listeners)) {
      socket.removeListener(name, this.#listeners[name]);
    }
    for (const name of Object.keys(this.#ours)) socket[name] = this.#own[name];
    if (!socket.destroyed) socket.destroy();
  }
}

module.exports = StreamCarrier;

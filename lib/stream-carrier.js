'use strict';

const { Buffer } = require('buffer');

const connectionOptions = require('./connection-options');
const deflateOptions = require('./deflate-options');
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
  #isCorked = false;
  /** Pings are answered, and pongs that wait are counted: the I/O thread is kept up to date. */
  #reportsAll = false;
  /** The stream's methods, and what takes their place. */
  #own;
  #ours;
  /** The names of those that were not inherited. */
  #overridden;
  #listeners;

  constructor(ws, conn, socket) {
    this.ws = ws;
    this.conn = conn;
    this.socket = socket;
    this.#ours = { write: this.#write, end: this.#endStream, destroy: this.#destroy };
    this.#own = { write: socket.write, end: socket.end, destroy: socket.destroy };
    this.#overridden = Object.keys(this.#own).filter((name) => Object.hasOwn(socket, name));
    this.#listeners = {
      data: (chunk) => this.#feed(chunk),
      end: () => this.#end(false),
      close: () => this.#closed(),
      finish: () => this.#finished()
    };
  }

  /** Puts `ws` onto `socket`; `head` is what was received already, `response` goes out first. */
  static relay(ws, socket, head, response, options) {
    const deflate =
      ws._deflate === null ? undefined : deflateOptions(ws._deflate.options, ws._isServer);
    const extensions = ws._deflate?.header;
    const conn = native.relay(ws._isServer, connectionOptions(options, deflate), extensions);
    if (response.length > 0) socket.write(response);
    if (head.length > 0) socket.unshift(head);
    return new StreamCarrier(ws, conn, socket);
  }

  /** Begins to read. */
  start() {
    const { socket } = this;
    // its own handle keeps the process alive, if it has one
    events.unref(this.conn);
    native.countRelay(1);
    // as ws does: a connection that breaks must not take the process with it
    socket.on('error', (err) => {
      this.error ??= err;
      this.#own.destroy.call(socket);
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
    this.#feedRest();
    if (this.conn !== -1) native.terminate(this.conn);
    if (this.ws._unsent() === 0) this.#own.destroy.call(this.socket);
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

  /** A stream that fails has nothing more to write; else what was sent goes first. */
  #destroy = (err, callback) => {
    const { socket, ws } = this;
    if (err || this.conn === -1 || ws._unsent() === 0) {
      return this.#own.destroy.call(socket, err, callback);
    }
    native.terminate(this.conn);
    return socket;
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
    this.#feedRest();
    this.#end(true);
  }

  #feedRest() {
    const { socket } = this;
    const state = socket._readableState;
    // streams of other makers emit it even now
    socket.removeListener('data', this.#listeners.data);
    if (state && !state.endEmitted && state.length > 0) {
      const rest = socket.read(state.length);
      if (rest !== null) this.#feed(rest);
    }
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
    const isDue = this.#reportsAll || this.#unreported >= REPORT_STEP;
    if (isDue || this.ws._callbacks?.length > 0) this.report();
  };

  /** A ping has come, and its pong goes out. */
  pinged() {
    this.#reportsAll = true;
  }

  /** Tells the I/O thread what is written. */
  report() {
    if (this.#unreported === 0 || this.conn === -1) return;
    native.confirm(this.conn, this.#unreported);
    this.#unreported = 0;
  }

  // ---- the native side's calls; see lib/websocket.js ----

  _output(bytes) {
    const { socket } = this;
    if (!socket.writable) {
      this.#own.destroy.call(socket);
      return;
    }
    this.#cork();
    this.#writes.push(bytes.length);
    this.#own.write.call(socket, bytes, this.#wrote);
  }

  /** What comes in one batch is one write. */
  #cork() {
    if (this.#isCorked || !this.socket.cork) return;
    this.#isCorked = true;
    this.socket.cork();
    process.nextTick(this.#uncork);
  }

  #uncork = () => {
    if (!this.#isCorked) return;
    this.#isCorked = false;
    this.socket.uncork();
  };

  _outputAtExit(bytes) {
    this.#uncork();
    if (this.socket.writable) this.#own.write.call(this.socket, bytes);
  }

  _outputEnd() {
    this.#uncork();
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

  _connectionClosed(errno, gone) {
    this.conn = -1;
    native.countRelay(-1);
    const { socket } = this;
    this.#uncork();
    for (const name of Object.keys(this.#listeners)) {
      socket.removeListener(name, this.#listeners[name]);
    }
    for (const name of Object.keys(this.#ours)) delete socket[name];
    for (const name of this.#overridden) socket[name] = this.#own[name];
    if (!socket.destroyed) socket.destroy();
    gone();
  }
}

module.exports = StreamCarrier;

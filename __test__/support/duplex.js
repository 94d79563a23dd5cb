'use strict';

const { Duplex } = require('node:stream');

/**
 * Another stream seen through a Duplex that is no net.Socket: what an application hands over that
 * tunnels, decrypts or counts. It pushes back both ways, and hands on end, close, errors and
 * destroy.
 */
class WrappedSocket extends Duplex {
  #inner;
  #innerClosed = false;

  constructor(inner, { allowHalfOpen = true } = {}) {
    super({ allowHalfOpen });
    this.#inner = inner;
    inner.on('data', (chunk) => {
      if (!this.push(chunk)) inner.pause();
    });
    inner.pause();
    inner.on('end', () => this.push(null));
    inner.on('error', (err) => this.destroy(err));
    inner.on('close', () => {
      this.#innerClosed = true;
      this.destroy();
    });
    // http.request asks its socket for this, and handshakeTimeout is made of it
    inner.on('timeout', () => this.emit('timeout'));
  }

  get inner() {
    return this.#inner;
  }

  get remoteAddress() {
    return this.#inner.remoteAddress;
  }

  get remotePort() {
    return this.#inner.remotePort;
  }

  get remoteFamily() {
    return this.#inner.remoteFamily;
  }

  get localAddress() {
    return this.#inner.localAddress;
  }

  get localPort() {
    return this.#inner.localPort;
  }

  _read() {
    this.#inner.resume();
  }

  _write(chunk, encoding, callback) {
    this.#inner.write(chunk, encoding, callback);
  }

  _writev(chunks, callback) {
    this.#inner.cork();
    const last = chunks.pop();
    for (const { chunk, encoding } of chunks) this.#inner.write(chunk, encoding);
    this.#inner.write(last.chunk, last.encoding, callback);
    this.#inner.uncork();
  }

  _final(callback) {
    if (this.#inner.destroyed) callback();
    else this.#inner.end(callback);
  }

  _destroy(err, callback) {
    // only then have its writes been called back
    if (this.#innerClosed) {
      callback(err);
      return;
    }
    this.#inner.once('close', () => callback(err));
    this.#inner.destroy();
  }
}

/** One end of a connection inside of the process: what is written here is read at `other`. */
class PairedDuplex extends Duplex {
  other = null;
  #callback = null;

  _read() {
    const callback = this.#callback;
    this.#callback = null;
    callback?.();
  }

  _write(chunk, encoding, callback) {
    // a write is done when the other end asks for more
    if (this.other.push(chunk)) process.nextTick(callback);
    else this.other.#callback = callback;
  }

  _final(callback) {
    this.other.push(null);
    callback();
  }

  _destroy(err, callback) {
    this._read();
    process.nextTick(callback, err);
    if (!this.other.destroyed) process.nextTick(() => this.other.destroy());
  }
}

/** Two Duplexes, each the peer of the other. */
function duplexPair(options) {
  const [a, b] = [new PairedDuplex(options), new PairedDuplex(options)];
  a.other = b;
  b.other = a;
  return [a, b];
}

module.exports = { WrappedSocket, duplexPair };

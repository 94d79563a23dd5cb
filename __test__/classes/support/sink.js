'use strict';

const { Duplex } = require('node:stream');
const { parseFrames } = require('../../support/raw-peer');

/** A Duplex that keeps what is written to it; `hold()` delays the writes until `release()`. */
class Sink extends Duplex {
  constructor() {
    super();
    this.chunks = [];
    this._held = null;
  }

  hold() {
    this._held ??= [];
  }

  release() {
    const held = this._held;
    this._held = null;
    for (const take of held) take();
  }

  get bytes() {
    return Buffer.concat(this.chunks);
  }

  /** The frames that have been written. */
  get frames() {
    return parseFrames(this.bytes).frames;
  }

  _read() {}

  _write(chunk, encoding, callback) {
    const take = () => {
      this.chunks.push(Buffer.from(chunk));
      callback();
    };
    if (this._held) this._held.push(take);
    else take();
  }
}

module.exports = { Sink };

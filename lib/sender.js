'use strict';

const { Buffer } = require('buffer');
const { randomFillSync } = require('crypto');

const { EMPTY_BUFFER, EXTENSION_NAME, FastBuffer } = require('./constants');
const { isBlob, toBuffer, closePayload } = require('./validation');

const OPCODE = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 };

const FIN = 0x80;
const RSV1 = 0x40;
const MASK = 0x80;

/** Random bytes are fetched for so many masking keys at once. */
const KEYS = 2048;
const keys = Buffer.alloc(4 * KEYS);
let nextKey = KEYS;

const defaultMaskBuffer = Buffer.alloc(4);

/** Writes frames to a Duplex. WebSockets have senders of their own, on the I/O threads. */
class Sender {
  #queue = [];
  /** A Blob is being read, or a message compressed. */
  #isBusy = false;
  #isFragmented = false;
  /** The message that has begun is compressed. */
  #compresses = false;

  /**
   * @param {import('stream').Duplex} socket
   * @param {object} [extensions] negotiated extensions
   * @param {(mask: Buffer) => void} [generateMask] fills in the masking key of a frame
   */
  constructor(socket, extensions, generateMask) {
    this._socket = socket;
    this._extensions = extensions || {};
    if (generateMask) {
      this._generateMask = generateMask;
      this._maskBuffer = Buffer.alloc(4);
    }
    /** Bytes that wait behind a Blob, or to be compressed. */
    this._bufferedBytes = 0;
    /** Called with the error of a Blob that cannot be read. */
    this.onerror = () => {};
  }

  /**
   * The bytes of a frame (RFC 6455 section 5.2): its header, and its payload unless that is empty or
   * has been masked into the same Buffer.
   *
   * @param {Buffer|string} data masked in place, unless it is a string or `readOnly`
   * @param {{ fin?: boolean, generateMask?: Function, mask?: boolean, maskBuffer?: Buffer,
   *   opcode: number, readOnly?: boolean, rsv1?: boolean }} options
   * @returns {Buffer[]}
   */
  static frame(data, options) {
    const key = options.mask ? maskingKey(options) : null;
    // a key of zeros changes nothing
    const masks = key !== null && (key[0] | key[1] | key[2] | key[3]) !== 0;
    let { readOnly } = options;
    if (typeof data === 'string') {
      data = Buffer.from(data);
      readOnly = false;
    }
    const { length } = data;
    const merges = masks && readOnly;
    const lengthBytes = length >= 65536 ? 8 : length > 125 ? 2 : 0;
    const start = 2 + lengthBytes + (key === null ? 0 : 4);
    const head = Buffer.allocUnsafe(merges ? start + length : start);
    head[0] = options.opcode | (options.fin ? FIN : 0) | (options.rsv1 ? RSV1 : 0);
    head[1] = key === null ? 0 : MASK;
    if (lengthBytes === 0) {
      head[1] |= length;
    } else if (lengthBytes === 2) {
      head[1] |= 126;
      head.writeUInt16BE(length, 2);
    } else {
      head[1] |= 127;
      head.writeUInt16BE(0, 2);
      head.writeUIntBE(length, 4, 6);
    }
    if (key !== null) head.set(key, start - 4);
    if (length === 0) return [head];
    if (!masks) return [head, data];
    const target = merges ? head.subarray(start) : data;
    for (let i = 0; i < length; i++) target[i] = data[i] ^ key[i & 3];
    return merges ? [head] : [head, data];
  }

  /**
   * @param {*} data a string, bytes, or a Blob
   * @param {{ binary?: boolean, compress?: boolean, fin?: boolean, mask?: boolean }} options
   * @param {Function} [cb] called when the bytes are written
   */
  send(data, options, cb) {
    const first = options.binary ? OPCODE.BINARY : OPCODE.TEXT;
    const isFirst = !this.#isFragmented;
    const opcode = isFirst ? first : OPCODE.CONTINUATION;
    if (isFirst) this.#compresses = Boolean(options.compress) && this.#isWorthIt(data);
    this.#isFragmented = !options.fin;
    const compress = this.#compresses;
    const rsv1 = isFirst && compress;
    this.#enqueue(data, { opcode, fin: options.fin, mask: options.mask, rsv1, compress }, cb);
  }

  /** Whether a message that begins with `data` gains from the extension, if that was agreed on. */
  #isWorthIt(data) {
    const deflate = this.#deflate;
    if (deflate === undefined) return false;
    const own = deflate._isServer ? 'server' : 'client';
    return !deflate.params?.[`${own}_no_context_takeover`] || size(data) >= deflate._threshold;
  }

  get #deflate() {
    return this._extensions[EXTENSION_NAME];
  }

  /** @throws {RangeError} when `data` is over 125 bytes */
  ping(data, mask, cb) {
    this.#control(OPCODE.PING, data, mask, cb);
  }

  /** @throws {RangeError} when `data` is over 125 bytes */
  pong(data, mask, cb) {
    this.#control(OPCODE.PONG, data, mask, cb);
  }

  /**
   * @param {number} [code]
   * @param {string|Buffer} [reason] at most 123 bytes
   * @throws {TypeError|RangeError} for what a close frame cannot carry
   */
  close(code, reason, mask, cb) {
    const { code: status, reason: text } = closePayload(code, reason);
    let payload = EMPTY_BUFFER;
    if (status !== 0) {
      payload = Buffer.allocUnsafe(2 + text.length);
      payload.writeUInt16BE(status, 0);
      payload.set(text, 2);
    }
    this.#enqueue(payload, { opcode: OPCODE.CLOSE, fin: true, mask }, cb);
  }

  /** Writes the buffers of one frame. */
  sendFrame(list, cb) {
    if (list.length === 1) {
      this._socket.write(list[0], cb);
      return;
    }
    this._socket.cork();
    this._socket.write(list[0]);
    this._socket.write(list[1], cb);
    this._socket.uncork();
  }

  #control(opcode, data, mask, cb) {
    const size = isBlob(data) ? data.size : byteLength(data);
    if (size > 125) throw new RangeError('The data size must not be greater than 125 bytes');
    this.#enqueue(data, { opcode, fin: true, mask }, cb);
  }

  /** Sends in order: behind Blobs that are being read, and messages that are compressed. */
  #enqueue(data, options, cb) {
    const isOurs = typeof data === 'string' || isBlob(data) || options.opcode === OPCODE.CLOSE;
    if (typeof data !== 'string' && !isBlob(data)) data = toBuffer(data);
    const send = { data, cb, options: { ...options, readOnly: !isOurs } };
    if (!this.#isBusy && !isBlob(data) && !options.compress) {
      this.#write(send, data);
      return;
    }
    this._bufferedBytes += size(data);
    this.#queue.push(send);
    if (!this.#isBusy) this.#work();
  }

  #write({ options, cb }, data) {
    const { _generateMask: generateMask, _maskBuffer: maskBuffer } = this;
    this.sendFrame(Sender.frame(data, { ...options, generateMask, maskBuffer }), cb);
  }

  /** Works off the queue; it begins with what takes a while. */
  async #work() {
    this.#isBusy = true;
    while (this.#queue.length > 0) {
      const send = this.#queue[0];
      let bytes = send.data;
      if (isBlob(bytes)) {
        try {
          bytes = new FastBuffer(await bytes.arrayBuffer());
        } catch (err) {
          process.nextTick(() => this.#fail(err, err));
          return;
        }
        if (this._socket.destroyed) {
          const err = new Error('The socket was closed while the blob was being read');
          process.nextTick(() => this.#fail(err));
          return;
        }
      }
      if (send.options.compress) {
        bytes = await this.#compress(bytes, send.options);
        if (this._socket.destroyed) {
          this.#fail(new Error('The socket was closed while data was being compressed'));
          return;
        }
      }
      this.#queue.shift();
      this._bufferedBytes -= size(send.data);
      try {
        this.#write(send, bytes);
      } catch (err) {
        process.nextTick(rethrow, err);
      }
    }
    this.#isBusy = false;
  }

  #compress(bytes, options) {
    return new Promise((resolve) => {
      this.#deflate.compress(bytes, options.fin, (err, compressed) => {
        options.readOnly = false;
        resolve(compressed);
      });
    });
  }

  /** Nothing of what waits is sent. */
  #fail(err, report) {
    for (const { cb } of this.#queue) if (typeof cb === 'function') cb(err);
    if (report) this.onerror(report);
  }
}

function maskingKey({ generateMask, maskBuffer = defaultMaskBuffer }) {
  if (generateMask) {
    generateMask(maskBuffer);
    return maskBuffer;
  }
  if (nextKey === KEYS) {
    randomFillSync(keys);
    nextKey = 0;
  }
  keys.copy(maskBuffer, 0, 4 * nextKey, 4 * nextKey + 4);
  nextKey++;
  return maskBuffer;
}

function byteLength(data) {
  return typeof data === 'string' ? Buffer.byteLength(data) : toBuffer(data).length;
}

function size(data) {
  return isBlob(data) ? data.size : byteLength(data);
}

function rethrow(err) {
  throw err;
}

module.exports = Sender;

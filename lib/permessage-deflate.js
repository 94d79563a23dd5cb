'use strict';

const { EMPTY_BUFFER, EXTENSION_NAME, kStatusCode } = require('./constants');
const { extension } = require('./header-lists');
const { protocolError } = require('./errors');
const { toBuffer } = require('./validation');
const agreement = require('./agreement');
const deflateOptions = require('./deflate-options');
const native = require('./native');

/**
 * permessage-deflate (RFC 7692) by itself, for Senders and Receivers that an application makes. It
 * works on the JavaScript thread; the connections of a WebSocket compress on the I/O threads.
 */
class PerMessageDeflate {
  #native;
  #header = null;
  #codec = null;
  /** Calls of `compress` whose callbacks are to come. */
  #compressing = new Set();

  /**
   * @param {object} [options] those of the `perMessageDeflate` option of a WebSocket, and
   * @param {boolean} [options.isServer]
   * @param {number} [options.maxPayload] bytes of a message that is inflated; 0 = off, the default
   */
  constructor(options) {
    this._options = options || {};
    this._threshold = this._options.threshold ?? 1024;
    this._maxPayload = this._options.maxPayload | 0;
    this._isServer = Boolean(this._options.isServer);
    this.#native = deflateOptions(this._options, this._isServer);
    /** What was agreed on, once it was. */
    this.params = null;
  }

  static get extensionName() {
    return EXTENSION_NAME;
  }

  /** The extension of a WebSocket's connection: what was agreed on is in `header`. */
  static of(options, header) {
    const deflate = new PerMessageDeflate(options);
    deflate.#agree(header);
    return deflate;
  }

  /** What was agreed on, as WebSockets have it. */
  get _agreement() {
    return agreement(this.#header, this._options);
  }

  /** The parameters that a client offers. */
  offer() {
    return parameters(native.deflateOffer(this.#native));
  }

  /**
   * A server's answer to the offers of a client, or a client's judgement of that answer.
   *
   * @param {object[]} configurations as `extension.parse` has them
   * @returns {object} what is agreed on
   * @throws {Error} when they are malformed or not acceptable
   */
  accept(configurations) {
    let header = extension.format({ [EXTENSION_NAME]: configurations });
    if (this._isServer) header = negotiate(native.acceptDeflateOffer, header, this.#native);
    else negotiate(native.checkDeflateAnswer, header, this.#native);
    this.#agree(header);
    return this.params;
  }

  #agree(header) {
    this.#header = header;
    this.params = parameters(header);
    const { clientMaxWindowBits } = this._options;
    if (!this._isServer && typeof clientMaxWindowBits === 'number') {
      this.params.client_max_window_bits ??= clientMaxWindowBits;
    }
  }

  /** Gives all memory back; what is being compressed fails. */
  cleanup() {
    this.#codec = null;
    const calls = [...this.#compressing];
    this.#compressing.clear();
    for (const { callback } of calls) {
      callback(new Error('The deflate stream was closed while data was being processed'));
    }
  }

  /**
   * Inflates the payload of a frame.
   *
   * @param {Buffer} data
   * @param {boolean} fin the message ends with it
   * @param {(err: Error|null, data?: Buffer) => void} callback
   */
  decompress(data, fin, callback) {
    const { data: inflated, error: parts } = this.#opened().decompress(toBuffer(data), fin);
    if (parts === undefined) {
      process.nextTick(callback, null, inflated);
      return;
    }
    const error = protocolError(parts);
    error[kStatusCode] = parts.closeCode;
    process.nextTick(callback, error);
  }

  /**
   * Compresses a message or a fragment of one.
   *
   * @param {Buffer|string} data
   * @param {boolean} fin the message ends with it
   * @param {(err: null, data: Buffer) => void} callback
   */
  compress(data, fin, callback) {
    const bytes = typeof data === 'string' ? Buffer.from(data) : toBuffer(data || EMPTY_BUFFER);
    const compressed = this.#opened().compress(bytes, Boolean(fin));
    const call = { callback };
    this.#compressing.add(call);
    process.nextTick(() => {
      if (this.#compressing.delete(call)) callback(null, compressed);
    });
  }

  #opened() {
    // before an agreement: its defaults
    this.#codec ??= new native.NativeDeflate(
      this._isServer,
      this.#native,
      this.#header ?? EXTENSION_NAME,
      this._maxPayload
    );
    return this.#codec;
  }
}

/** Calls a judge of the native side, whose errors have ws's words. */
function negotiate(judge, header, options) {
  try {
    return judge(header, options);
  } catch (err) {
    const Kind = err.message.startsWith('Invalid value') ? TypeError : Error;
    throw new Kind(err.message, { cause: err });
  }
}

/** The parameters of the only element of a header: numbers, and true for those without a value. */
function parameters(header) {
  const params = {};
  const [offer] = extension.parse(header)[EXTENSION_NAME];
  for (const [name, [value]] of Object.entries(offer)) {
    params[name] = value === true ? true : Number(value);
  }
  return params;
}

module.exports = PerMessageDeflate;

'use strict';

const { Writable } = require('stream');

const { BINARY_TYPES, EMPTY_BUFFER, EXTENSION_NAME, kStatusCode } = require('./constants');
const { NativeReceiver } = require('./native');
const { convert } = require('./binary-type');
const { protocolError } = require('./errors');
const connectionOptions = require('./connection-options');

/**
 * Reads frames: a Writable that takes the bytes of a peer and emits 'message' (data, isBinary),
 * 'ping' and 'pong' (data), and 'conclude' (code, reason) for a close frame. It parses on the
 * JavaScript thread; the connections of a WebSocket have parsers of their own.
 */
class Receiver extends Writable {
  #parser;
  #maxPayload;
  #skipUTF8Validation;

  /**
   * @param {object} [options]
   * @param {boolean} [options.allowSynchronousEvents] false: each event in a turn of its own
   * @param {string} [options.binaryType] as WebSocket.binaryType
   * @param {object} [options.extensions] negotiated extensions
   * @param {boolean} [options.isServer] whether the peer is a client
   * @param {number} [options.maxFragments] of a message; 0 = off, the default
   * @param {number} [options.maxPayload] bytes of a message; 0 = off, the default
   * @param {boolean} [options.skipUTF8Validation] take text and close reasons as they are
   */
  constructor(options = {}) {
    super();
    this._allowSynchronousEvents = options.allowSynchronousEvents ?? true;
    this._binaryType = options.binaryType || BINARY_TYPES[0];
    this._extensions = options.extensions || {};
    this._isServer = Boolean(options.isServer);
    this.#maxPayload = options.maxPayload | 0;
    this.#skipUTF8Validation = Boolean(options.skipUTF8Validation);
    this.#parser = new NativeReceiver(this._isServer, connectionOptions(options));
    const deflate = this._extensions[EXTENSION_NAME];
    if (deflate) this.#enableDeflate(deflate);
  }

  #enableDeflate({ params, _maxPayload: maxPayload }) {
    params ??= {};
    const peer = this._isServer ? 'client' : 'server';
    const hasTakeover = !params[`${peer}_no_context_takeover`];
    this.#parser.enableDeflate(hasTakeover, params[`${peer}_max_window_bits`] ?? 15, maxPayload);
  }

  get _maxPayload() {
    return this.#maxPayload;
  }

  set _maxPayload(bytes) {
    this.#maxPayload = bytes | 0;
    this.#parser.setLimits(this.#maxPayload, this.#skipUTF8Validation);
  }

  get _skipUTF8Validation() {
    return this.#skipUTF8Validation;
  }

  set _skipUTF8Validation(skip) {
    this.#skipUTF8Validation = Boolean(skip);
    this.#parser.setLimits(this.#maxPayload, this.#skipUTF8Validation);
  }

  _write(chunk, encoding, callback) {
    this.#deliver(this.#parser.receive(chunk), 0, callback);
  }

  #deliver(received, from, callback) {
    for (let i = from; i < received.length; i++) {
      const event = received[i];
      if (event.kind === 'error') {
        const error = protocolError(event.error);
        error[kStatusCode] = event.error.closeCode;
        callback(error);
        return;
      }
      if (event.kind === 'close') {
        this.emit(
          'conclude',
          event.code ?? 1005,
          event.data.length > 0 ? event.data : EMPTY_BUFFER
        );
        this.end();
      } else if (this._allowSynchronousEvents) {
        this.#emit(event);
      } else {
        setImmediate(() => {
          this.#emit(event);
          this.#deliver(received, i + 1, callback);
        });
        return;
      }
    }
    callback();
  }

  #emit({ kind, data, ends }) {
    if (kind === 'text') this.emit('message', data, false);
    else if (kind === 'binary') this.emit('message', convert(data, this._binaryType, ends), true);
    else this.emit(kind, data);
  }
}

module.exports = Receiver;

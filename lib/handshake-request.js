'use strict';

const EventEmitter = require('events');

/**
 * What stands for the `http.ClientRequest` of a client (`ws._req`) that connects on an I/O thread: it
 * can be looked at and given up.
 */
class HandshakeRequest extends EventEmitter {
  #request;
  #giveUp;

  /**
   * @param {object} request the handshake of lib/client.js
   * @param {(error: Error) => void} giveUp
   */
  constructor(request, giveUp) {
    super();
    this.#request = request;
    this.#giveUp = giveUp;
    this.destroyed = false;
    this.aborted = false;
  }

  get method() {
    return 'GET';
  }

  get path() {
    return this.#request.target.target;
  }

  get host() {
    return this.#request.target.host;
  }

  get protocol() {
    return this.#request.target.isSecure ? 'https:' : 'http:';
  }

  /** The value of a header field; undefined without one. */
  getHeader(name) {
    return this.getHeaders()[name.toLowerCase()];
  }

  /** All fields but for those that the I/O thread adds: Sec-WebSocket-Key, Connection, Upgrade. */
  getHeaders() {
    const { headers } = this.#request;
    const fields = Object.create(null);
    for (let i = 0; i < headers.length; i += 2) fields[headers[i].toLowerCase()] = headers[i + 1];
    return fields;
  }

  /** Ends the handshake: `error` is the client's. */
  destroy(error) {
    if (this.destroyed) return this;
    this.destroyed = true;
    this.#giveUp(error ?? hangUp());
    return this;
  }

  abort() {
    this.aborted = true;
    this.destroy();
  }
}

function hangUp() {
  const error = new Error('socket hang up');
  error.code = 'ECONNRESET';
  return error;
}

module.exports = HandshakeRequest;

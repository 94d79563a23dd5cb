'use strict';

const http = require('http');

/** An `http.IncomingMessage` for a head that was parsed on an I/O thread. */
class NativeIncomingMessage extends http.IncomingMessage {
  #socket = null;
  #makeSocket;

  /**
   * @param {object} head from the native side
   * @param {() => import('net').Socket} makeSocket called when the socket is first looked at
   */
  constructor(head, makeSocket) {
    super(null);
    this.#makeSocket = makeSocket;
    const minor = head.minorVersion;
    this.httpVersionMajor = 1;
    this.httpVersionMinor = minor;
    this.httpVersion = `1.${minor}`;
    this._addHeaderLines(head.headers, head.headers.length);
    this.complete = true;
    this.upgrade = true;
    this.push(null);
  }

  get socket() {
    if (this.#socket === null && this.#makeSocket) this.#socket = this.#makeSocket();
    return this.#socket;
  }

  set socket(socket) {
    // the base class sets it before our fields exist
    if (#socket in this) this.#socket = socket;
  }
}

/** The request of a client, as a server sees it. */
function incomingRequest(head, makeSocket) {
  const req = new NativeIncomingMessage(head, makeSocket);
  req.method = head.method;
  req.url = head.url;
  return req;
}

/** The response of a server, as a client sees it. */
function incomingResponse(head, makeSocket) {
  const res = new NativeIncomingMessage(head, makeSocket);
  res.statusCode = head.status;
  res.statusMessage = head.reason;
  return res;
}

module.exports = { incomingRequest, incomingResponse };

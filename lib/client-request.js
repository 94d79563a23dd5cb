'use strict';

const http = require('http');
const https = require('https');
const net = require('net');
const tls = require('tls');
const { createHash, randomBytes } = require('crypto');

const { EXTENSION_NAME, GUID } = require('./constants');
const { offeredExtensions, parseUrl, targetOf } = require('./client-options');
const { extension } = require('./header-lists');
const deflateOptions = require('./deflate-options');
const native = require('./native');

/**
 * A client's opening handshake through Node's own HTTP client, for what only that can honour: TLS,
 * an agent, a connection or a request that the application makes, redirects.
 */
class RequestHandshake {
  #ws;
  #opts;
  #protocols;
  #req = null;
  /** The error of a handshake that was given up: what the request reports then is no news. */
  #failure = null;
  #redirects = 0;
  /** Where the first request went, and the application's header fields by lower-case name. */
  #origin = null;
  #headers;

  /**
   * @param {import('./websocket')} ws
   * @param {object} opts complete options
   * @param {string[]} protocols checked
   */
  constructor(ws, opts, protocols) {
    this.#ws = ws;
    this.#opts = opts;
    this.#protocols = protocols;
    this.#headers = { ...opts.headers };
    if (!opts.followRedirects) return;
    this.#headers = {};
    for (const [name, value] of Object.entries(opts.headers ?? {})) {
      this.#headers[name.toLowerCase()] = value;
    }
  }

  /** Sends the request. Throws for options that Node refuses. */
  begin(address, target) {
    this.#send(address, target);
  }

  /** Goes on with a response that is coming in on `socket`, on which the request is sent. */
  resume(address, target, socket) {
    this.#opts = { ...this.#opts, agent: undefined, createConnection: () => socket };
    this.#send(address, target);
  }

  /** Gives the handshake up; the error comes asynchronously. */
  abort(message) {
    this.#ws._readyState = 2;
    this.#failure = new Error(message);
    this.#req.destroy();
    // an upgraded socket is no longer the request's
    this.#req.socket?.destroy();
    process.nextTick(fail, this.#ws, this.#failure);
  }

  #send(address, target) {
    const ws = this.#ws;
    const opts = this.#opts;
    const key = randomBytes(16).toString('base64');
    const options = this.#requestOptions(target, key);
    const isRedirect = this.#redirects > 0;
    if (opts.followRedirects) this.#protectSecrets(options, target);

    const req = (target.isSecure ? https : http).request(options);
    this.#req = ws._req = req;
    if (isRedirect) ws.emit('redirect', ws.url, req);
    if (options.timeout) {
      req.on('timeout', () => this.abort('Opening handshake has timed out'));
    }
    req.on('error', (err) => {
      // a request that has been given up for another, or for good, has nothing more to say
      if (req === this.#req && this.#failure === null) this.#fail(err);
    });
    req.on('response', (res) => this.#answered(req, res, address));
    req.on('upgrade', (res, socket, head) => this.#upgraded(res, socket, head, key));
    if (opts.finishRequest) opts.finishRequest(req, ws);
    else req.end();
  }

  #requestOptions(target, key) {
    const opts = this.#opts;
    const headers = {
      ...this.#headers,
      'Sec-WebSocket-Version': opts.protocolVersion,
      'Sec-WebSocket-Key': key,
      Connection: 'Upgrade',
      Upgrade: 'websocket'
    };
    const extensions = offeredExtensions(opts);
    if (extensions !== undefined) headers['Sec-WebSocket-Extensions'] = extensions;
    if (this.#protocols.length > 0) headers['Sec-WebSocket-Protocol'] = this.#protocols.join(',');
    if (opts.origin) {
      headers[opts.protocolVersion < 13 ? 'Sec-WebSocket-Origin' : 'Origin'] = opts.origin;
    }
    return {
      ...opts,
      auth: target.auth ?? opts.auth,
      createConnection: opts.createConnection || (target.isSecure ? connectSecurely : connect),
      defaultPort: opts.defaultPort || (target.isSecure ? 443 : 80),
      headers,
      host: target.host,
      hostname: undefined,
      method: 'GET',
      path: target.target,
      port: target.port,
      protocol: undefined,
      protocols: undefined,
      socketPath: target.socketPath,
      timeout: opts.handshakeTimeout
    };
  }

  /**
   * A redirect to another host, or from wss to ws, does not get the credentials, unless a listener
   * of 'redirect' takes care of them.
   */
  #protectSecrets(options, target) {
    const place = target.socketPath ?? target.hostHeader;
    const isIpc = target.socketPath !== undefined;
    this.#origin ??= { isIpc, isSecure: target.isSecure, place };
    if (this.#redirects > 0 && this.#ws.listenerCount('redirect') === 0) {
      const isSamePlace = isIpc === this.#origin.isIpc && place === this.#origin.place;
      if (!isSamePlace || (this.#origin.isSecure && !target.isSecure)) {
        delete options.headers.authorization;
        delete options.headers.cookie;
        if (!isSamePlace) delete options.headers.host;
        options.auth = undefined;
      }
    }
    // for the requests that follow; a field that was given wins
    if (options.auth && !this.#headers.authorization) {
      this.#headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
    }
  }

  #answered(req, res, address) {
    const ws = this.#ws;
    const { statusCode } = res;
    const { location } = res.headers;
    const isRedirect = statusCode >= 300 && statusCode < 400 && location;
    if (!isRedirect || !this.#opts.followRedirects) {
      if (!ws.emit('unexpected-response', req, res)) {
        this.abort(`Unexpected server response: ${statusCode}`);
      }
      return;
    }
    if (++this.#redirects > this.#opts.maxRedirects) {
      this.abort('Maximum redirects exceeded');
      return;
    }
    this.#req = null;
    req.destroy();
    let next;
    let target;
    try {
      next = parseUrl(resolve(location, address));
      ws._url = next.href;
      target = targetOf(next);
    } catch (err) {
      this.#fail(err);
      return;
    }
    this.#send(next, target);
  }

  #upgraded(res, socket, head, key) {
    const ws = this.#ws;
    ws.emit('upgrade', res);
    // the listener may have given up on us
    if (ws._readyState !== 0) return;
    const problem = judge(res, key, this.#protocols) ?? judgeExtensions(res, this.#opts);
    if (problem !== null) {
      socket.destroy();
      this.abort(problem);
      return;
    }
    const protocol = res.headers['sec-websocket-protocol'];
    if (protocol) ws._protocol = protocol;
    ws._agree(res.headers['sec-websocket-extensions'], this.#opts);
    ws._request = null;
    ws._req = null;
    ws.setSocket(socket, head, this.#opts);
  }

  #fail(err) {
    this.#failure = err;
    this.#ws._req = null;
    fail(this.#ws, err);
  }
}

/** What is wrong with a server's answer, in the order and the words of ws; or null. */
function judge(res, key, protocols) {
  if (res.headers.upgrade?.toLowerCase() !== 'websocket') return 'Invalid Upgrade header';
  const accept = createHash('sha1')
    .update(key + GUID)
    .digest('base64');
  if (res.headers['sec-websocket-accept'] !== accept) return 'Invalid Sec-WebSocket-Accept header';
  const protocol = res.headers['sec-websocket-protocol'];
  if (protocol === undefined) {
    if (protocols.length > 0) return 'Server sent no subprotocol';
  } else if (protocols.length === 0) {
    return 'Server sent a subprotocol but none was requested';
  } else if (!protocols.includes(protocol)) {
    return 'Server sent an invalid subprotocol';
  }
  return null;
}

/** The same for the extensions. */
function judgeExtensions(res, { perMessageDeflate }) {
  const header = res.headers['sec-websocket-extensions'];
  if (header === undefined) return null;
  if (!perMessageDeflate) {
    return 'Server sent a Sec-WebSocket-Extensions header but no extension was requested';
  }
  try {
    const names = Object.keys(extension.parse(header));
    if (names.length !== 1 || names[0] !== EXTENSION_NAME) {
      return 'Server indicated an extension that was not requested';
    }
    native.checkDeflateAnswer(header, deflateOptions(perMessageDeflate, false));
    return null;
  } catch {
    return 'Invalid Sec-WebSocket-Extensions header';
  }
}

function resolve(location, address) {
  try {
    return new URL(location, address);
  } catch (err) {
    throw new SyntaxError(`Invalid URL: ${location}`, { cause: err });
  }
}

/** 'error', and 'close' in the same tick. */
function fail(ws, err) {
  ws._request = null;
  ws._req = null;
  ws._readyState = 2;
  ws._errorEmitted = true;
  try {
    ws.emit('error', err);
  } finally {
    ws._readyState = 3;
    ws.emit('close', ws._closeCode, ws._closeMessage);
  }
}

function connect(options) {
  return net.connect({ ...options, path: options.socketPath });
}

function connectSecurely(options) {
  const { host, servername } = options;
  const name = servername || servername === '' ? servername : net.isIP(host) ? '' : host;
  return tls.connect({ ...options, path: undefined, servername: name });
}

module.exports = { RequestHandshake, fail };

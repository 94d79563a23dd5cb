'use strict';

const EventEmitter = require('events');
const http = require('http');

const { CLOSE_TIMEOUT, DEFAULT_MAX_PAYLOAD, HOOKS } = require('./constants');
const { incomingRequest } = require('./request');
const { clientError, respond, upgrade } = require('./server-handshake');
const { ServerNameQuestion, serverTlsError } = require('./tls-server');
const asyncContext = require('./async-context');
const NativeListener = require('./listener');
const NativeSocket = require('./native-socket');
const deflateOptions = require('./deflate-options');
const events = require('./events');
const native = require('./native');
const Target = require('./target');
const WebSocket = require('./websocket');

const RUNNING = 0;
const CLOSING = 1;
const CLOSED = 2;

/** Events whose listeners make the I/O threads ask JavaScript. */
const HOOK_EVENTS = ['headers', 'wsClientError', 'request', 'tlsClientError'];

/** Options that are looked at for each request, and may be changed at any time. */
const HOOK_OPTIONS = ['verifyClient', 'handleProtocols', 'path'];

/** A WebSocket server with the API of ws; see index.d.ts. */
class WebSocketServer extends EventEmitter {
  /** Answers plain requests of native connections, once there has been one. */
  #http = null;
  /** Native connections that are open. */
  #open = 0;
  /** Our own listening socket, with `port`. */
  #listener;
  /** The application's server, with `server`. */
  #external = null;
  #externalListeners = null;
  #emitsClose = false;

  /**
   * @param {object} options
   * @param {Function} [callback] a listener for 'listening'
   */
  constructor(options, callback) {
    super();

    options = {
      allowSynchronousEvents: true,
      autoPong: true,
      backlog: null,
      clientTracking: true,
      closeTimeout: CLOSE_TIMEOUT,
      handleProtocols: null,
      handshakeTimeout: 60000,
      host: null,
      maxBufferedChunks: 256 * 1024,
      maxFragments: 16 * 1024,
      maxPayload: DEFAULT_MAX_PAYLOAD,
      maxPendingAutoPongs: 60,
      noServer: false,
      path: null,
      perMessageDeflate: false,
      port: null,
      server: null,
      skipUTF8Validation: false,
      verifyClient: null,
      WebSocket,
      ...options
    };
    const hasPort = options.port !== null && options.port !== undefined;
    if (
      [hasPort, Boolean(options.server), Boolean(options.noServer)].filter(Boolean).length !== 1
    ) {
      throw new TypeError(
        'One and only one of the "port", "server", or "noServer" options must be specified'
      );
    }
    if (options.perMessageDeflate === true) options.perMessageDeflate = {};
    deflateOptions(options.perMessageDeflate, true);

    this.options = options;
    this._state = RUNNING;
    if (options.clientTracking) this.clients = new Set();
    this._context = asyncContext.capture();
    /** The application's server. */
    this._server = null;
    for (const name of HOOK_OPTIONS) this.#watch(name);
    this.#listener = null;
    if (hasPort) this.#listener = new NativeListener(this, callback);
    else if (options.server) this.#listenTo(options.server);
  }

  /** Whether a request is for this server; may be overridden. */
  get shouldHandle() {
    return this._shouldHandle ?? shouldHandle;
  }

  set shouldHandle(judge) {
    if (!(#listener in this)) {
      // on the prototype
      Object.defineProperty(this, 'shouldHandle', {
        value: judge,
        writable: true,
        configurable: true
      });
      return;
    }
    this._shouldHandle = judge;
    this.#updateHooks();
  }

  /** The address that the server listens on, as `net.Server.address()` has it. */
  address() {
    if (this.options.noServer) throw new Error('The server is operating in "noServer" mode');
    if (this.#listener !== null) return this.#listener.address();
    return this.#external === null ? null : this.#external.address();
  }

  /**
   * Replaces the certificates of a server with TLS, for connections to come.
   *
   * @param {object} options as the constructor takes them; what is not given stays
   * @throws {Error} for bad ones; then nothing changes
   */
  setSecureContext(options) {
    if (this.#listener === null) {
      throw new Error('setSecureContext(): the server does not listen itself');
    }
    const given = Object.entries(options).filter(([, value]) => value !== undefined);
    const changed = Object.fromEntries(given);
    this.#listener.setSecureContext({ ...this.options, ...changed });
    Object.assign(this.options, changed);
  }

  /**
   * Stops listening. Clients stay: 'close' follows when the last one is gone.
   *
   * @param {Function} [cb] a listener for 'close'; gets an Error if the server was closed already
   */
  close(cb) {
    if (this._state === CLOSED) {
      if (cb) this.once('close', () => cb(new Error('The server is not running')));
      process.nextTick(emitClose, this);
      return;
    }
    if (cb) this.once('close', cb);
    if (this._state === CLOSING) return;
    this._state = CLOSING;
    if (this.#listener !== null) {
      this.#listener.close(this.#open > 0);
      return;
    }
    if (this.#external !== null) {
      for (const [name, listener] of this.#externalListeners) {
        this.#external.removeListener(name, listener);
      }
      this.#external = null;
      this._server = null;
    }
    if (this.clients && this.clients.size > 0) this.#emitsClose = true;
    else process.nextTick(emitClose, this);
  }

  /**
   * Answers an upgrade request that somebody else has read.
   *
   * @param {import('http').IncomingMessage} req
   * @param {import('stream').Duplex} socket the connection that it came on
   * @param {Buffer} head what came behind it
   * @param {(ws: WebSocket, req: import('http').IncomingMessage) => void} callback
   */
  handleUpgrade(req, socket, head, callback) {
    upgrade(this, req, socket, head, callback);
  }

  #listenTo(server) {
    const onConnection = (ws, req) => this.emit('connection', ws, req);
    this.#external = server;
    this._server = server;
    this.#externalListeners = [
      ['listening', (...args) => this.emit('listening', ...args)],
      ['error', (...args) => this.emit('error', ...args)],
      ['upgrade', (req, socket, head) => this.handleUpgrade(req, socket, head, onConnection)]
    ];
    for (const [name, listener] of this.#externalListeners) server.on(name, listener);
  }

  on(name, listener) {
    super.on(name, listener);
    return this.#hooked(name);
  }

  addListener(name, listener) {
    return this.on(name, listener);
  }

  prependListener(name, listener) {
    super.prependListener(name, listener);
    return this.#hooked(name);
  }

  removeListener(name, listener) {
    super.removeListener(name, listener);
    return this.#hooked(name);
  }

  off(name, listener) {
    return this.removeListener(name, listener);
  }

  removeAllListeners(...args) {
    super.removeAllListeners(...args);
    this.#updateHooks();
    return this;
  }

  /** What the I/O threads have to ask about; see src/driver/listener.rs. */
  _hooks() {
    const { verifyClient, handleProtocols } = this.options;
    let hooks = 0;
    if (
      verifyClient ||
      handleProtocols ||
      this.shouldHandle !== shouldHandle ||
      this.options.path !== this.#listener?.path ||
      this.listenerCount('headers') > 0
    ) {
      hooks |= HOOKS.UPGRADE;
    }
    if (this.listenerCount('wsClientError') > 0) hooks |= HOOKS.CLIENT_ERROR;
    if (this.listenerCount('request') > 0) hooks |= HOOKS.REQUEST;
    if (this.listenerCount('tlsClientError') > 0) hooks |= HOOKS.TLS_ERROR;
    return hooks;
  }

  /** Notices when option `name` is changed. */
  #watch(name) {
    let value = this.options[name];
    Object.defineProperty(this.options, name, {
      configurable: true,
      enumerable: true,
      get: () => value,
      set: (changed) => {
        value = changed;
        this.#updateHooks();
      }
    });
  }

  #hooked(name) {
    if (HOOK_EVENTS.includes(name)) this.#updateHooks();
    return this;
  }

  #updateHooks() {
    this.#listener?.setHooks(this._hooks());
  }

  // ---- the native side's calls; see lib/events.js ----

  _notice(event, conn) {
    switch (event.kind) {
      case 'connection':
        if (this._state === RUNNING) this._opened(conn, event);
        else reject(conn);
        break;
      case 'upgrade':
        respond(this, conn, event);
        break;
      case 'clientError':
        this.#clientError(conn, event);
        break;
      case 'request':
        this.#request(conn, event);
        break;
      case 'serverName':
        new ServerNameQuestion(this, conn, event).ask();
        break;
      case 'tlsClientError':
        this.emit('tlsClientError', serverTlsError(event.error), event.peer);
        break;
      case 'listenerFailed':
        this.#listener.failed(event.error);
        break;
      case 'listenerClosed':
        this.#listener.closed();
        this.#http?.close();
        emitClose(this);
        break;
    }
  }

  /** Connection `conn` is a WebSocket now. */
  _opened(conn, event, req, socket) {
    let ws;
    try {
      ws = new this.options.WebSocket(null, undefined, this.options);
    } catch (err) {
      reject(conn);
      throw err;
    }
    if (socket) {
      socket._attach(ws);
      ws._carrier = socket;
    }
    ws._open(conn, event.peer, event, this.options);
    ws._server = this;
    if (this.clients) this.clients.add(ws);
    this.#open++;
    req ??= incomingRequest(event.request, () => ws._socket);
    ws._context.runInAsyncScope(() => {
      ws.emit('open');
      this.emit('connection', ws, req);
    });
  }

  /** `ws` is gone. */
  _forget(ws, isNative) {
    if (isNative && --this.#open === 0) this.#listener.connectionsGone();
    if (!this.clients) return;
    this.clients.delete(ws);
    if (this.#emitsClose && this.clients.size === 0) process.nextTick(emitClose, this);
  }

  #clientError(conn, event) {
    const socket = NativeSocket.raw(conn, event.peer);
    // nobody may answer it: when the peer goes, that is the end
    socket.allowHalfOpen = false;
    const req = incomingRequest(event.request, () => socket);
    const headers = {};
    for (let i = 0; i < event.headers.length; i += 2)
      headers[event.headers[i]] = event.headers[i + 1];
    const { status, error } = event;
    clientError(this, req, socket, { status, message: error.message, headers });
  }

  /** A plain HTTP request: Node's own HTTP server reads it and writes the answer. */
  #request(conn, event) {
    if (this.#http === null) {
      const answered = new WeakSet();
      this.#http = http.createServer((req, res) => {
        // one request a connection: the next one might ask for an upgrade
        if (answered.has(req.socket)) return;
        answered.add(req.socket);
        res.shouldKeepAlive = false;
        if (!this.emit('request', req, res)) res.writeHead(426).end(http.STATUS_CODES[426]);
      });
      // starts its checks of requestTimeout
      this.#http.emit('listening');
    }
    this.#http.emit('connection', NativeSocket.raw(conn, event.peer));
  }
}

/** @this {WebSocketServer} */
function shouldHandle(req) {
  if (!this.options.path) return true;
  const query = req.url.indexOf('?');
  return (query === -1 ? req.url : req.url.slice(0, query)) === this.options.path;
}

/** It was upgraded while close() was called. */
function reject(conn) {
  events.add(conn, new Target(asyncContext.capture()));
  native.terminate(conn);
}

function emitClose(server) {
  server._state = CLOSED;
  server.emit('close');
}

module.exports = WebSocketServer;

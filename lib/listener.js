'use strict';

const cluster = require('cluster');
const dns = require('dns');
const net = require('net');

const { systemError } = require('./errors');
const { isSecure, serverContexts } = require('./tls-server');
const connectionOptions = require('./connection-options');
const deflateOptions = require('./deflate-options');
const events = require('./events');
const native = require('./native');

const BACKLOG = 511;
const ANY_V6 = '::';
const ANY_V4 = '0.0.0.0';

let nextId = 1;

/** The listening socket of a WebSocketServer. */
class NativeListener {
  #server;
  #id = nextId++;
  #address = null;
  /** Keeps the process alive from the constructor until the socket is closed. */
  #held = false;
  #listening = false;
  #closing = false;
  #closed = false;
  /** What the I/O threads compare the path with. */
  path;
  /** Certificates, for the native side; undefined without TLS. */
  #contexts;

  constructor(server, callback) {
    this.#server = server;
    this.path = server.options.path;
    const { host, port } = server.options;
    this.#port(port);
    if (isSecure(server.options)) this.#contexts = serverContexts(server.options);
    if (callback) server.once('listening', callback);
    this.#hold(true);
    if (host === null || host === undefined || host === '') {
      this.#listenAnywhere();
    } else {
      this.#lookUp(host);
    }
  }

  address() {
    return this.#address;
  }

  setHooks(hooks) {
    if (this.#listening) native.setHooks(this.#id, hooks);
  }

  /** For connections to come. */
  setSecureContext(options) {
    if (this.#contexts === undefined) {
      throw new Error('setSecureContext(): the server was made without TLS ("cert" and "key")');
    }
    this.#contexts = serverContexts(options);
    if (this.#listening) native.setContexts(this.#id, this.#contexts);
  }

  /** Open connections keep the process alive by themselves, or do not, if they are unref()ed. */
  close(hasConnections) {
    this.#closing = true;
    if (hasConnections) this.#hold(false);
    this.#address = null;
    if (this.#listening) {
      native.closeListener(this.#id);
    } else {
      process.nextTick(() => this.#server._notice({ kind: 'listenerClosed' }));
    }
  }

  /** The last connection is gone: 'close' is about to come. */
  connectionsGone() {
    if (this.#closing && !this.#closed) this.#hold(true);
  }

  /** The socket and all of its connections are gone. */
  closed() {
    this.#closed = true;
    events.listeners.delete(this.#id);
    this.#hold(false);
  }

  /** Accepting has failed for good. */
  failed(parts) {
    this.#server.emit('error', systemError('accept', parts));
  }

  #port(port) {
    const number = typeof port === 'string' && port.trim() !== '' ? Number(port) : port;
    if (!Number.isInteger(number) || number < 0 || number > 65535) {
      const error = new RangeError(
        `options.port should be >= 0 and < 65536. Received ${describe(port)}.`
      );
      error.code = 'ERR_SOCKET_BAD_PORT';
      throw error;
    }
    return number;
  }

  #lookUp(host) {
    if (net.isIP(host)) {
      process.nextTick(() => this.#begin(host));
      return;
    }
    dns.lookup(host, (err, address) => {
      if (err) this.#fail(err);
      else this.#begin(address);
    });
  }

  /** As in Node: all addresses of both families, or IPv4 alone where there is no IPv6. */
  #listenAnywhere() {
    let error = this.#listen(ANY_V6);
    if (error !== null && error.code !== 'EADDRINUSE' && error.code !== 'EACCES') {
      error = this.#listen(ANY_V4);
    }
    process.nextTick(() => this.#announce(error));
  }

  #begin(host) {
    if (this.#closing) return;
    this.#announce(this.#listen(host));
  }

  /** Null, or what went wrong. */
  #listen(host) {
    const { options } = this.#server;
    const port = this.#port(options.port);
    const listening = {
      id: this.#id,
      host,
      port,
      backlog: options.backlog > 0 ? options.backlog : BACKLOG,
      // the workers of a cluster share their port
      reusePort: Boolean(options.reusePort) || (cluster.isWorker && process.platform !== 'win32'),
      ipv6Only: Boolean(options.ipv6Only),
      path: options.path || undefined,
      handshakeTimeout: Number(options.handshakeTimeout) || 0,
      hooks: this.#server._hooks(),
      connection: connectionOptions(options, deflateOptions(options.perMessageDeflate, true))
    };
    const result = tryListen(listening, this.#contexts);
    if (result.error !== undefined) return result.error;
    if (result.errno !== undefined) {
      return systemError('listen', { errno: result.errno, address: host, port });
    }
    const family = net.isIPv6(result.address) ? 'IPv6' : 'IPv4';
    this.#address = { address: result.address, family, port: result.port };
    this.#listening = true;
    events.listeners.set(this.#id, this.#server);
    return null;
  }

  #announce(error) {
    if (error !== null) {
      this.#fail(error);
    } else if (!this.#closing) {
      // options may have changed, and listeners been added, since
      this.setHooks(this.#server._hooks());
      this.#server.emit('listening');
    }
  }

  #fail(error) {
    this.#hold(false);
    this.#server.emit('error', error);
  }

  #hold(on) {
    if (this.#held === on) return;
    this.#held = on;
    if (on) native.hold();
    else native.unhold();
  }
}

/** What cannot be listened on at all, such as an address with a scope, is an error like others. */
function tryListen(options, contexts) {
  try {
    return native.listen(options, contexts);
  } catch (error) {
    return { error };
  }
}

function describe(value) {
  return typeof value === 'number' ? `type number (${value})` : `type ${typeof value} (${value})`;
}

module.exports = NativeListener;

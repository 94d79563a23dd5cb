'use strict';

const { systemError } = require('./errors');
const { serverRoots } = require('./tls-roots');
const { create, tlsOptions } = require('./tls-options');
const asyncContext = require('./async-context');
const events = require('./events');
const native = require('./native');
const Target = require('./target');

/** What `https.createServer` speaks by default. */
const ALPN = ['http/1.1'];

/** Certificates and limits of a server, for `secureContexts`, `SNICallback` and `setSecureContext`. */
class SecureContext {
  /** For the native side. */
  context;

  /** @param {object} options see index.d.ts */
  constructor(options) {
    const asks = Boolean(options.requestCert);
    const roots = asks ? serverRoots(options) : undefined;
    const complete = tlsOptions(options, ALPN);
    if (complete.chains.length === 0) {
      throw new Error('TLS option "cert": a server needs a certificate, and its "key"');
    }
    this.context = create(() => new native.NativeServerContext(complete, roots));
  }
}

/** Whether a server of our own is to be a wss: server. */
function isSecure({ cert, key, secureContexts, SNICallback, pfx, requestCert }) {
  if (cert || key || secureContexts || SNICallback || pfx) return true;
  if (requestCert) {
    throw new Error('TLS option "cert": "requestCert" is for a server with "cert" and "key"');
  }
  return false;
}

/**
 * The contexts of a server, for the native side.
 *
 * @param {object} options the server's
 * @throws {Error} that names the option which is bad
 */
function serverContexts(options) {
  const { SNICallback, secureContexts } = options;
  if (SNICallback !== undefined && SNICallback !== null && typeof SNICallback !== 'function') {
    const error = new TypeError('The "options.SNICallback" property must be of type function');
    error.code = 'ERR_INVALID_ARG_TYPE';
    throw error;
  }
  const hasNames = Boolean(SNICallback || secureContexts);
  const { cert, key, pfx } = options;
  const own = cert || key || pfx || !hasNames ? new SecureContext(options).context : undefined;
  const contexts = new native.NativeServerContexts(own, Boolean(SNICallback));
  for (const [name, value] of Object.entries(secureContexts ?? {})) {
    contexts.add(name.toLowerCase(), contextOf(value, options).context);
  }
  return contexts;
}

/** What is not said for a host is as the server has it, certificates and their keys apart. */
function contextOf(value, options) {
  if (value instanceof SecureContext) return value;
  if (typeof value !== 'object' || value === null || value.context !== undefined) {
    throw new TypeError(
      'Invalid SNI context: give the options of one, or hawser.createSecureContext(options)'
    );
  }
  const own = { cert: undefined, key: undefined, passphrase: undefined, pfx: undefined };
  return new SecureContext({ ...options, ...own, ...value });
}

/** Asks `SNICallback` for the context of a host. */
class ServerNameQuestion extends Target {
  #server;
  #conn;
  #event;
  #isOver = false;

  constructor(server, conn, event) {
    super(asyncContext.capture());
    this.#server = server;
    this.#conn = conn;
    this.#event = event;
    events.add(conn, this);
  }

  ask() {
    const { options } = this.#server;
    const answer = (error, value) => this.#answer(error, value);
    const failed = (error) => this.#answer(error ?? new Error('SNICallback failed'));
    try {
      const result = options.SNICallback.call(this.#server, this.#event.serverName, answer);
      // an async function that rejects
      if (typeof result?.then === 'function') result.then(undefined, failed);
    } catch (err) {
      failed(err);
    }
  }

  /** The first answer counts; none, or null, is the server's own context. */
  #answer(error, value) {
    if (this.#isOver) return;
    this.#isOver = true;
    if (error) {
      this.#fail(error);
      return;
    }
    try {
      const isDefault = value === null || value === undefined;
      const context = isDefault ? undefined : contextOf(value, this.#server.options).context;
      native.useContext(this.#conn, context);
    } catch (err) {
      this.#fail(err);
    }
  }

  #fail(error) {
    native.terminate(this.#conn);
    this.#server.emit('tlsClientError', error, this.#event.peer);
  }

  // ---- the native side's calls; see lib/events.js ----

  _closed() {
    this.#isOver = true;
  }
}

/** Why a client's handshake has failed; codes are those of a `tls.Server`. */
function serverTlsError(parts) {
  if (parts.errno !== undefined) return systemError('read', parts);
  const error = new Error(parts.message);
  error.code = parts.code ?? 'EPROTO';
  return error;
}

/** An object of options as `new WebSocketServer` takes them. */
function createSecureContext(options = {}) {
  return new SecureContext(options);
}

module.exports = {
  ServerNameQuestion,
  createSecureContext,
  isSecure,
  serverContexts,
  serverTlsError
};

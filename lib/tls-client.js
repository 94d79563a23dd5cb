'use strict';

const net = require('net');
const tls = require('tls');
const { X509Certificate, getFips } = require('crypto');

const { clientRoots, trustedByNode } = require('./tls-roots');
const { FOR_OPENSSL, create, tlsOptions, unsupportedOption } = require('./tls-options');
const { notSupported } = require('./unsupported');
const native = require('./native');

/** Node's own, when this was loaded. */
const { checkServerIdentity } = tls;

/** Options of `tls.connect` that only Node can honour, beside those of its contexts. */
const FOR_NODE = [
  ...FOR_OPENSSL,
  'checkServerIdentity',
  'enableTrace',
  'minDHSize',
  'requestOCSP',
  'session',
  'socket'
];

/** What makes the context of a socket. */
const OF_CONTEXT = [
  'ca',
  'roots',
  'cert',
  'key',
  'passphrase',
  'rejectUnauthorized',
  'minVersion',
  'maxVersion',
  'ALPNProtocols'
];

/** Contexts that are remembered: sockets with the same options share one, and resume sessions. */
const MOST = 16;
const remembered = [];

/** OpenSSL's words for its codes. */
const REASONS = {
  CERT_HAS_EXPIRED: 'certificate has expired',
  CERT_NOT_YET_VALID: 'certificate is not yet valid',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'self-signed certificate',
  INVALID_PURPOSE: 'unsuitable certificate purpose',
  PATH_LENGTH_EXCEEDED: 'path length constraint exceeded',
  SELF_SIGNED_CERT_IN_CHAIN: 'self-signed certificate in certificate chain',
  UNABLE_TO_GET_ISSUER_CERT: 'unable to get issuer certificate',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unable to get local issuer certificate',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unable to verify the first certificate'
};

/** Certificates, roots and sessions of clients, to be used by many sockets. */
class TlsConnector {
  #context;

  /**
   * @param {object} [options] see index.d.ts
   * @throws {Error} for options that are bad, or that hawser's own TLS cannot honour
   */
  constructor(options = {}) {
    const unsupported = unsupportedOption(options, FOR_NODE);
    if (unsupported !== undefined) throw notSupported(`The TlsConnector option "${unsupported}"`);
    this.#context = contextFrom(options);
  }

  static contextOf(connector) {
    return connector.#context;
  }
}

/** `fallsBack`: Node's TLS will try where this one fails. */
function contextFrom(options, fallsBack = false) {
  const complete = { ...tlsOptions(options), fallsBack };
  const roots = clientRoots(options);
  return create(() => new native.NativeClientContext(complete, roots));
}

/**
 * How to connect to a wss: server natively: a context, and the name that the server has to prove.
 * Null: Node's own TLS has to.
 *
 * @param {object} opts of the WebSocket
 * @param {{ host: string }} target
 */
function secureTarget(opts, { host, port }) {
  const { connector, roots } = opts;
  const serverName = nameOf(opts, host);
  const where = { path: undefined, host, port, localAddress: opts.localAddress };
  if (connector !== undefined && connector !== null) {
    return { ...withConnector(connector, opts, serverName), where };
  }
  const isForNode =
    serverName === null ||
    // an application that has replaced it wants it to be called
    tls.checkServerIdentity !== checkServerIdentity ||
    getFips() === 1 ||
    // the second attempt would want it while the first still has it
    Boolean(opts.localPort) ||
    unsupportedOption(opts, FOR_NODE) !== undefined ||
    (opts.rejectUnauthorized === undefined && process.env.NODE_TLS_REJECT_UNAUTHORIZED === '0');
  if (!isForNode) {
    try {
      return { context: contextFor(opts), serverName, isOwn: isOther(roots), where };
    } catch (err) {
      // Node has its own way with options that are bad
      if (isOther(roots)) throw err;
      return null;
    }
  }
  if (isOther(roots)) throw forHawser('roots');
  return null;
}

function withConnector(connector, opts, serverName) {
  if (!(connector instanceof TlsConnector)) {
    throw new TypeError('The "connector" option must be a TlsConnector');
  }
  const given = [...OF_CONTEXT, ...FOR_NODE].find((name) => opts[name] !== undefined);
  if (given !== undefined) {
    throw new TypeError(`The option "${given}" is the TlsConnector's when there is a "connector"`);
  }
  if (serverName === null || tls.checkServerIdentity !== checkServerIdentity) {
    throw forHawser('connector');
  }
  return { context: TlsConnector.contextOf(connector), serverName, isOwn: true };
}

/** Roots that Node's TLS does not have. */
function isOther(roots) {
  return roots !== undefined && roots !== 'node';
}

/** What Node's TLS would not heed is refused where it is to make the connection. */
function refuseOwn({ connector, roots }) {
  if (connector !== undefined && connector !== null) throw forHawser('connector');
  if (isOther(roots)) throw forHawser('roots');
}

function forHawser(name) {
  return notSupported(`The option "${name}" beside one that only Node's client can honour`);
}

/** What to ask for, and to be shown a certificate of; null if Node is to see to it. */
function nameOf({ servername }, host) {
  if (servername === undefined || servername === null) {
    return native.isServerName(host) ? host : null;
  }
  const isName = typeof servername === 'string' && servername !== '' && !net.isIP(servername);
  return isName && native.isServerName(servername) ? servername : null;
}

function contextFor(opts) {
  const values = OF_CONTEXT.map((name) => opts[name]);
  // an application may replace them
  values.push(opts.ca === undefined && trustedByNode());
  values.push(tls.DEFAULT_MIN_VERSION, tls.DEFAULT_MAX_VERSION);
  const at = remembered.findIndex((entry) => isSame(entry.values, values));
  const entry =
    at === -1
      ? { values: values.map(keep), context: contextFrom(opts, !isOther(opts.roots)) }
      : remembered.splice(at, 1)[0];
  remembered.push(entry);
  if (remembered.length > MOST) remembered.shift();
  return entry.context;
}

/** The bytes may be changed by who gave them. */
function keep(value) {
  if (Array.isArray(value)) {
    // Node's own list of roots is long, and the same each time
    const isFixed = Object.isFrozen(value) && value.every((item) => typeof item === 'string');
    return isFixed ? value : value.map(keep);
  }
  if (isWithPassphrase(value)) return { pem: keep(value.pem), passphrase: value.passphrase };
  return ArrayBuffer.isView(value) ? Buffer.from(bytes(value)) : value;
}

function isSame(a, b) {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, i) => isSame(item, b[i]));
  }
  if (isWithPassphrase(a) && isWithPassphrase(b)) {
    return isSame(a.pem, b.pem) && a.passphrase === b.passphrase;
  }
  return ArrayBuffer.isView(a) && ArrayBuffer.isView(b) && bytes(a).equals(bytes(b));
}

/** A key among others: see index.d.ts. */
function isWithPassphrase(value) {
  return typeof value === 'object' && value !== null && value.pem !== undefined;
}

function bytes(view) {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}

/** Marks a handshake that Node's TLS is to try. */
const RETRY = Symbol('retry');

/**
 * Why a TLS handshake has failed: an Error as Node has it; undefined if it is no error of TLS; RETRY
 * if Node's TLS may get along with the server.
 */
function tlsError(parts, { serverName, isOwn, where }) {
  if (parts.incompatible && !isOwn) return RETRY;
  if (parts.certificate !== undefined) return identityError(parts, serverName, isOwn);
  const { code, message } = parts;
  const isCut = message.startsWith('Client network socket disconnected');
  if (REASONS[code] === undefined && code !== 'EPROTO' && !isCut) return undefined;
  const error = new Error(REASONS[code] ?? message);
  error.code = code;
  if (isCut) Object.assign(error, where);
  if (code === 'EPROTO') {
    error.errno = -71;
    error.syscall = 'write';
  }
  return error;
}

/** Node is the judge of names. */
function identityError(parts, serverName, isOwn) {
  const certificate = new X509Certificate(parts.certificate).toLegacyObject();
  const error = tls.checkServerIdentity(serverName, certificate);
  if (error !== undefined) return error;
  if (!isOwn) return RETRY;
  const refusal = new Error(
    "Hostname/IP does not match certificate's altnames: a name outside of them is not looked at"
  );
  refusal.code = parts.code;
  return refusal;
}

module.exports = { RETRY, TlsConnector, refuseOwn, secureTarget, tlsError };

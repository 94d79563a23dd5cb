'use strict';

const http = require('http');
const querystring = require('querystring');

const { CLOSE_TIMEOUT, DEFAULT_MAX_PAYLOAD } = require('./constants');
const deflateOptions = require('./deflate-options');
const native = require('./native');
const { isToken } = require('./validation');

const PROTOCOL_VERSIONS = [8, 13];

/** Options that only Node's own HTTP client can honour. */
const FOR_NODE = [
  'agent',
  'blockList',
  'createConnection',
  'finishRequest',
  'followRedirects',
  'insecureHTTPParser',
  'joinDuplicateHeaders',
  'keepAlive',
  'keepAliveInitialDelay',
  'maxHeaderSize',
  'setDefaultHeaders',
  'setHost',
  'signal',
  'uniqueHeaders'
];

/** The defaults of a client's options, and those given. */
function complete(options) {
  const opts = {
    allowSynchronousEvents: true,
    autoPong: true,
    closeTimeout: CLOSE_TIMEOUT,
    protocolVersion: PROTOCOL_VERSIONS[1],
    maxFragments: 16 * 1024,
    maxPayload: DEFAULT_MAX_PAYLOAD,
    maxPendingAutoPongs: 60,
    skipUTF8Validation: false,
    perMessageDeflate: true,
    followRedirects: false,
    maxRedirects: 10,
    ...options
  };
  if (!PROTOCOL_VERSIONS.includes(opts.protocolVersion)) {
    throw new RangeError(
      `Unsupported protocol version: ${opts.protocolVersion} ` +
        `(supported versions: ${PROTOCOL_VERSIONS.join(', ')})`
    );
  }
  deflateOptions(opts.perMessageDeflate, false);
  if (opts.handshakeTimeout) opts.handshakeTimeout = timerDuration(opts.handshakeTimeout);
  return opts;
}

/** The most that a timer of Node's takes. */
const TIMEOUT_MAX = 2 ** 31 - 1;

/** As Node has it for sockets: a number of milliseconds that a timer takes. */
function timerDuration(ms) {
  if (typeof ms !== 'number') {
    const error = new TypeError('The "handshakeTimeout" option must be of type number');
    error.code = 'ERR_INVALID_ARG_TYPE';
    throw error;
  }
  if (!(ms >= 0 && Number.isFinite(ms))) {
    const error = new RangeError(
      `The value of "handshakeTimeout" is out of range. It must be a non-negative finite number. Received ${ms}`
    );
    error.code = 'ERR_OUT_OF_RANGE';
    throw error;
  }
  return Math.min(ms, TIMEOUT_MAX);
}

/** Whether the handshake has to go through Node's own HTTP client. */
function needsNode(opts) {
  return FOR_NODE.some((name) => isGiven(name, opts[name]));
}

function isGiven(name, value) {
  if (value === undefined || value === null) return false;
  return value !== false || name === 'setHost' || name === 'setDefaultHeaders';
}

/**
 * An address as a URL, `ws:` and `wss:` in the place of `http:` and `https:`.
 *
 * @throws {SyntaxError}
 */
function parseUrl(address) {
  let url = address;
  if (!(address instanceof URL)) {
    try {
      url = new URL(address);
    } catch (err) {
      throw new SyntaxError(`Invalid URL: ${address}`, { cause: err });
    }
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return url;
  url = new URL(url);
  url.protocol = url.protocol === 'http:' ? 'ws:' : 'wss:';
  return url;
}

/**
 * What to connect to and to ask for.
 *
 * @param {URL} url
 * @throws {SyntaxError} for another scheme, or a fragment
 */
function targetOf(url) {
  const { protocol } = url;
  const isUnix = protocol === 'ws+unix:';
  if (protocol !== 'ws:' && protocol !== 'wss:' && !isUnix) {
    throw new SyntaxError(
      'The URL\'s protocol must be one of "ws:", "wss:", "http:", "https:", or "ws+unix:"'
    );
  }
  if (isUnix && !url.pathname) throw new SyntaxError("The URL's pathname is empty");
  if (url.hash) throw new SyntaxError('The URL contains a fragment identifier');
  const isSecure = protocol === 'wss:';
  const parsed = {
    isSecure,
    host: url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname,
    port: url.port || (isSecure ? 443 : 80),
    target: url.pathname + url.search,
    hostHeader: url.host,
    auth:
      url.username || url.password
        ? `${querystring.unescape(url.username)}:${querystring.unescape(url.password)}`
        : undefined,
    socketPath: undefined
  };
  if (isUnix) {
    // only the first colon parts the socket's path from the request's
    const whole = url.pathname + url.search;
    const colon = whole.indexOf(':');
    parsed.socketPath = colon === -1 ? url.pathname : whole.slice(0, colon);
    parsed.target = (colon === -1 ? url.search : whole.slice(colon + 1)) || '/';
    if (!parsed.target.startsWith('/')) parsed.target = `/${parsed.target}`;
    parsed.hostHeader = 'localhost';
  }
  return parsed;
}

/**
 * The subprotocols to offer.
 *
 * @throws {SyntaxError} for a bad one, or one given twice
 */
function parseProtocols(protocols) {
  const list = protocols === undefined ? [] : Array.isArray(protocols) ? protocols : [protocols];
  const seen = new Set();
  for (const protocol of list) {
    if (typeof protocol !== 'string' || !isToken(protocol) || seen.has(protocol)) {
      throw new SyntaxError('An invalid or duplicated subprotocol was specified');
    }
    seen.add(protocol);
  }
  return [...seen];
}

/** Header fields that the handshake itself sets. */
const OWN = new Set(['sec-websocket-version', 'sec-websocket-key', 'connection', 'upgrade']);

/** The value of Sec-WebSocket-Extensions; undefined without the extension. */
function offeredExtensions({ perMessageDeflate }) {
  if (!perMessageDeflate) return undefined;
  return native.deflateOffer(deflateOptions(perMessageDeflate, false));
}

/** Names and values of the request, but for the key: checked as `http.request` does. */
function requestHeaders(opts, target, protocols) {
  const headers = [];
  let host = target.hostHeader;
  const names = new Set();
  const extensions = offeredExtensions(opts);
  const originName = opts.protocolVersion < 13 ? 'Sec-WebSocket-Origin' : 'Origin';
  for (const [name, value] of headerEntries(opts.headers)) {
    const lower = name.toLowerCase();
    if (OWN.has(lower)) continue;
    if (extensions !== undefined && lower === 'sec-websocket-extensions') continue;
    if (protocols.length > 0 && lower === 'sec-websocket-protocol') continue;
    http.validateHeaderName(name);
    if (opts.origin && lower === originName.toLowerCase()) continue;
    names.add(lower);
    if (lower === 'host') host = undefined;
    // RFC 6265 section 5.4: one field for all cookies
    const values = lower === 'cookie' && Array.isArray(value) ? value.join('; ') : value;
    for (const item of Array.isArray(values) ? values : [values]) {
      http.validateHeaderValue(name, item);
      headers.push(name, String(item));
    }
  }
  // the key, Connection and Upgrade follow it
  headers.push('Sec-WebSocket-Version', String(opts.protocolVersion));
  if (extensions !== undefined) headers.push('Sec-WebSocket-Extensions', extensions);
  if (protocols.length > 0) headers.push('Sec-WebSocket-Protocol', protocols.join(','));
  if (opts.origin) {
    http.validateHeaderValue(originName, opts.origin);
    headers.push(originName, String(opts.origin));
  }
  if (host !== undefined) headers.push('Host', host);
  const auth = target.auth ?? opts.auth;
  if (auth && !names.has('authorization')) {
    headers.push('Authorization', `Basic ${Buffer.from(auth).toString('base64')}`);
  }
  return headers;
}

function headerEntries(headers) {
  if (headers === undefined || headers === null) return [];
  if (!Array.isArray(headers)) return Object.entries(headers);
  const entries = [];
  for (let i = 0; i + 1 < headers.length; i += 2) entries.push([headers[i], headers[i + 1]]);
  return entries;
}

module.exports = {
  complete,
  needsNode,
  offeredExtensions,
  parseUrl,
  parseProtocols,
  requestHeaders,
  targetOf
};

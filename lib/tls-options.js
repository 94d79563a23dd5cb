'use strict';

const { X509Certificate, createPrivateKey } = require('crypto');
const tls = require('tls');

const { notSupported } = require('./unsupported');
const { toBuffer } = require('./validation');

const CERTIFICATE = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^]+?-----END [A-Z0-9 ]+-----/g;

const VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];

/** Seconds, as OpenSSL has it. */
const SESSION_TIMEOUT = 300;

/** Options of Node's that only OpenSSL can honour. */
const FOR_OPENSSL = [
  'ALPNCallback',
  'allowPartialTrustChain',
  'ciphers',
  'clientCertEngine',
  'crl',
  'dhparam',
  'ecdhCurve',
  'pfx',
  'privateKeyEngine',
  'privateKeyIdentifier',
  'pskCallback',
  'secureContext',
  'secureOptions',
  'secureProtocol',
  'sessionIdContext',
  'sigalgs',
  'ticketKeys'
];

/** The first of `options` that rustls cannot honour; undefined if there is none. */
function unsupportedOption(options, names = FOR_OPENSSL) {
  return names.find((name) => options[name] !== undefined && options[name] !== null);
}

/**
 * Certificates, keys and limits for the native side: read and checked.
 *
 * @param {object} options as for `tls.createSecureContext`
 * @param {string[]} alpn what to speak, if `ALPNProtocols` does not say
 * @throws {Error} that names the option
 */
function tlsOptions(options, alpn = []) {
  const unsupported = unsupportedOption(options);
  if (unsupported !== undefined) throw notSupported(`The TLS option "${unsupported}"`);
  const { chains, keys } = identities(options);
  const { rejectUnauthorized, sessionTimeout } = options;
  return {
    chains,
    keys,
    rejectUnauthorized: rejectUnauthorized !== false,
    ...versions(options),
    fallsBack: false,
    // as Node: those of its own are too many
    namesRoots: Boolean(options.ca),
    alpn: protocols(options.ALPNProtocols) ?? alpn.map((name) => Buffer.from(name)),
    sessionTimeout: seconds(sessionTimeout) * 1000
  };
}

/** Pairs of a chain of certificates and its key. */
function identities({ cert, key, passphrase }) {
  const certs = list(cert);
  const keys = list(key);
  if (certs.length !== keys.length) {
    const missing = certs.length > keys.length ? 'key' : 'cert';
    throw invalid(
      missing,
      `each "cert" needs its "key" and the other way round; there are ${certs.length} and ${keys.length}`
    );
  }
  const chains = [];
  const privateKeys = [];
  for (let i = 0; i < certs.length; i++) {
    const chain = certificates('cert', certs[i]);
    const privateKey = readKey(keys[i], passphrase);
    if (!chain[0].checkPrivateKey(privateKey)) {
      throw invalid('key', 'key values mismatch: it is not the key of "cert"', {
        code: 'ERR_OSSL_X509_KEY_VALUES_MISMATCH'
      });
    }
    chains.push(chain.map((certificate) => certificate.raw));
    privateKeys.push(privateKey.export({ type: 'pkcs8', format: 'der' }));
  }
  return { chains, keys: privateKeys };
}

/** One, or an array of them. */
function list(value) {
  if (value === undefined || value === null || value === '') return [];
  return Array.isArray(value) ? value : [value];
}

/** The certificates of a PEM text; at least one. */
function certificates(name, value) {
  const text = pem(name, value);
  const blocks = text.match(CERTIFICATE);
  if (blocks === null) {
    throw invalid(name, 'no start line: there is no PEM certificate in it', {
      code: 'ERR_OSSL_PEM_NO_START_LINE'
    });
  }
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch (err) {
      throw invalid(name, err.message, err);
    }
  });
}

function readKey(value, passphrase) {
  if (typeof value === 'object' && value !== null && value.type === 'private') return value;
  const own = typeof value === 'object' && value !== null && value.pem !== undefined;
  const secret = own ? (value.passphrase ?? passphrase) : passphrase;
  if (secret !== undefined && secret !== null && typeof secret !== 'string') {
    throw argument('passphrase', 'of type string', secret);
  }
  const text = pem('key', own ? value.pem : value);
  try {
    return createPrivateKey({ key: text, format: 'pem', passphrase: secret ?? undefined });
  } catch (err) {
    const isSecret = text.includes('ENCRYPTED');
    throw invalid(isSecret ? 'passphrase' : 'key', err.message, err);
  }
}

function pem(name, value) {
  if (typeof value === 'string') return value;
  if (ArrayBuffer.isView(value)) return toBuffer(value).toString('latin1');
  throw argument(name, 'of type string or an instance of Buffer, TypedArray, or DataView', value);
}

/** The `ca` option in DER; undefined without one. */
function authorities(ca) {
  if (!ca) return undefined;
  return list(ca).flatMap((item) => certificates('ca', item).map(({ raw }) => raw));
}

/** What the native side refuses, which reads keys itself: it is a kind of key that it does not have. */
function create(make) {
  try {
    return make();
  } catch (err) {
    throw invalid('key', `${err.message} (RSA, P-256, P-384 and Ed25519 are supported)`);
  }
}

/** Which of the two versions that there are may be used. */
function versions({ minVersion, maxVersion }) {
  const least = version('minimum', minVersion ?? tls.DEFAULT_MIN_VERSION);
  const most = version('maximum', maxVersion ?? tls.DEFAULT_MAX_VERSION);
  // an option that asks for it is refused; what the process allows by a flag need not be used
  if (minVersion !== undefined && minVersion !== null && least < VERSIONS.indexOf('TLSv1.2')) {
    throw notSupported(`The minVersion "${minVersion}", older than "TLSv1.2",`);
  }
  const between = (name) => VERSIONS.indexOf(name) >= least && VERSIONS.indexOf(name) <= most;
  const tls12 = between('TLSv1.2');
  const tls13 = between('TLSv1.3');
  if (!tls12 && !tls13) {
    throw invalid(
      'maxVersion',
      `"${VERSIONS[most]}" and minVersion "${VERSIONS[least]}" leave no version; there are TLSv1.2 and TLSv1.3`
    );
  }
  return { tls12, tls13 };
}

function version(which, name) {
  const index = VERSIONS.indexOf(name);
  if (index !== -1) return index;
  const error = new TypeError(`"${String(name)}" is not a valid ${which} TLS protocol version`);
  error.code = 'ERR_TLS_INVALID_PROTOCOL_VERSION';
  throw error;
}

/** RFC 7301 section 3.1: names of 1 to 255 bytes; as an array, or each behind its length. */
function protocols(value) {
  if (value === undefined || value === null) return undefined;
  const out = {};
  tls.convertALPNProtocols(value, out);
  if (out.ALPNProtocols === undefined) {
    throw argument('ALPNProtocols', 'an array of strings or a Buffer', value);
  }
  const wire = toBuffer(out.ALPNProtocols);
  const names = [];
  for (let i = 0; i < wire.length; i += 1 + wire[i]) {
    const name = Buffer.from(wire.subarray(i + 1, i + 1 + wire[i]));
    if (name.length === 0 || name.length !== wire[i]) {
      throw argument('ALPNProtocols', 'a list of names of 1 to 255 bytes', value);
    }
    names.push(name);
  }
  return names;
}

function seconds(value) {
  if (value === undefined || value === null) return SESSION_TIMEOUT;
  if (typeof value !== 'number') throw argument('sessionTimeout', 'of type number', value);
  if (value >= 0 && Number.isFinite(value)) return value;
  const error = new RangeError(
    `The value of "options.sessionTimeout" is out of range. It must be a number of seconds, 0 or more. Received ${value}`
  );
  error.code = 'ERR_OUT_OF_RANGE';
  throw error;
}

/** What is wrong with an option, with the code of what found it. */
function invalid(name, message, { code, reason, library } = {}) {
  const error = new Error(`TLS option "${name}": ${message}`);
  if (code !== undefined) error.code = code;
  if (reason !== undefined) error.reason = reason;
  if (library !== undefined) error.library = library;
  return error;
}

function argument(name, wanted, value) {
  const error = new TypeError(
    `The "options.${name}" property must be ${wanted}. Received type ${typeof value} (${String(value)})`
  );
  error.code = 'ERR_INVALID_ARG_TYPE';
  return error;
}

module.exports = { FOR_OPENSSL, authorities, create, tlsOptions, unsupportedOption };

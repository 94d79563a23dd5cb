'use strict';

const fs = require('fs');
const tls = require('tls');

const { authorities } = require('./tls-options');
const native = require('./native');

const KINDS = ['node', 'system', 'bundled'];

/** By kind; Node's by the list that it has given, which an application may replace. */
const known = { system: null, bundled: null };
const ofNode = new WeakMap();

/**
 * The certificates that servers' are to end in: those of `ca`, or those that `roots` names.
 *
 * @param {{ ca?: any, roots?: 'node'|'system'|'bundled' }} options `roots`: what Node trusts, which
 *   is the default; what the operating system does; Mozilla's list, as it was when hawser was built
 */
function clientRoots({ ca, roots = 'node' }) {
  if (!KINDS.includes(roots)) {
    throw new TypeError(`roots must be one of "${KINDS.join('", "')}". Received ${String(roots)}`);
  }
  const own = authorities(ca);
  if (own !== undefined) return rootsOf(own);
  if (roots === 'bundled') return (known.bundled ??= native.NativeRoots.bundled());
  if (roots === 'system' || usesOpenSslStore()) {
    return (known.system ??= native.NativeRoots.system());
  }
  const trusted = trustedByNode();
  let all = ofNode.get(trusted);
  if (all === undefined) {
    all = rootsOf([...authorities(trusted), ...extra()]);
    ofNode.set(trusted, all);
  }
  return all;
}

/** What clients of a server are to show: certificates that end in `ca`, or in Node's roots. */
function serverRoots({ ca }) {
  return clientRoots({ ca });
}

/** @param {Buffer[]} certificates in DER */
function rootsOf(certificates) {
  try {
    return new native.NativeRoots(certificates);
  } catch (err) {
    const index = Number(err.message);
    throw new Error(`TLS option "ca": certificate ${index + 1} cannot be read`, { cause: err });
  }
}

/** Node started with --use-openssl-ca trusts what the system's OpenSSL does. */
function usesOpenSslStore() {
  const flag = '--use-openssl-ca';
  return process.execArgv.includes(flag) || (process.env.NODE_OPTIONS ?? '').includes(flag);
}

/** PEM texts; the same array for the same roots. */
function trustedByNode() {
  return tls.getCACertificates?.('default') ?? tls.rootCertificates;
}

/** Those of NODE_EXTRA_CA_CERTS, for Nodes whose list lacks them. A file that is bad counts as none,
 * as for Node. */
function extra() {
  const file = process.env.NODE_EXTRA_CA_CERTS;
  if (tls.getCACertificates !== undefined || !file) return [];
  try {
    return authorities(fs.readFileSync(file));
  } catch {
    return [];
  }
}

module.exports = { clientRoots, serverRoots, trustedByNode };

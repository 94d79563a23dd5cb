'use strict';

const { X509Certificate } = require('crypto');
const { checkServerIdentity } = require('tls');

const native = require('./native');

/** OpenSSL's names of the cipher suites of TLS 1.2, by IANA's; those of TLS 1.3 are the same. */
const CIPHERS = {
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305'
};

/**
 * What of a `tls.TLSSocket` can be had of a connection that is encrypted on an I/O thread.
 *
 * @param {typeof import('./native-socket')} NativeSocket
 */
const withTls = (NativeSocket) =>
  class NativeTlsSocket extends NativeSocket {
    #info;
    #judged = false;

    constructor(conn, peer, ws) {
      super(conn, peer, ws);
      this.#info = peer.tls;
    }

    get encrypted() {
      return true;
    }

    /** Whether the peer has shown a certificate that is trusted. */
    get authorized() {
      return this.#verdict().authorized;
    }

    /** Why it has not; null if it has, or was not asked. */
    get authorizationError() {
      return this.#verdict().authorizationError ?? null;
    }

    get alpnProtocol() {
      return this.#info.alpn ?? false;
    }

    /** The host that the client asked for; false if it named none. */
    get servername() {
      return this.#info.serverName ?? false;
    }

    getProtocol() {
      return this.#info.isTls13 ? 'TLSv1.3' : 'TLSv1.2';
    }

    getCipher() {
      const standardName = this.#info.cipher;
      return {
        name: CIPHERS[standardName] ?? standardName,
        standardName,
        version: this.getProtocol()
      };
    }

    isSessionReused() {
      return this.#info.resumed;
    }

    /** The peer's certificate, as `tls.TLSSocket` has it; empty without one. */
    getPeerCertificate(detailed = false) {
      const { certificates } = this.#info;
      if (certificates.length === 0) return {};
      const [own, ...others] = certificates.slice(0, detailed ? undefined : 1).map(read);
      if (detailed) link(own, others);
      return own.toLegacy;
    }

    /** Our own certificate; of several, the first. */
    getCertificate() {
      const { own } = this.#info;
      return own === undefined ? {} : read(native.ownCertificate(own)).toLegacy;
    }

    getPeerX509Certificate() {
      const { certificates } = this.#info;
      return certificates.length === 0 ? undefined : new X509Certificate(certificates[0]);
    }

    /** Node takes names that webpki does not: a common name, a star within a label. */
    #verdict() {
      const info = this.#info;
      if (!this.#judged) {
        this.#judged = true;
        if (
          info.authorizationError === 'ERR_TLS_CERT_ALTNAME_INVALID' &&
          checkServerIdentity(info.identity, this.getPeerCertificate()) === undefined
        ) {
          info.authorized = true;
          info.authorizationError = undefined;
        }
      }
      return info;
    }
  };

function read(der) {
  const certificate = new X509Certificate(der);
  return { certificate, toLegacy: certificate.toLegacyObject() };
}

/** Each to its issuer, among what the peer has shown and the roots; a root to itself. */
function link(own, others) {
  let current = own;
  for (let depth = 0; depth <= others.length; depth++) {
    const { certificate, toLegacy } = current;
    const issuer = [current, ...others].find(
      (other) =>
        certificate.checkIssued(other.certificate) &&
        certificate.verify(other.certificate.publicKey)
    );
    if (issuer === undefined) return;
    toLegacy.issuerCertificate = issuer.toLegacy;
    if (issuer === current) return;
    current = issuer;
  }
}

module.exports = withTls;

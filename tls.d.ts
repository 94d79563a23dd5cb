// Types of TLS: the options of servers and clients, and what their sockets tell.

/// <reference types="node" />

import { KeyObject, X509Certificate } from 'crypto';
import { DetailedPeerCertificate, PeerCertificate, SecureVersion } from 'tls';

/** A private key: PEM, or one of several with a passphrase of its own. */
export type PrivateKey =
  string | Buffer | KeyObject | { pem: string | Buffer; passphrase?: string };

/** Certificates, keys and limits. */
export interface TlsOptions {
  /**
   * PEM: a certificate, and those that lead to its root behind it. Several, each with its `key`: the
   * first that the peer can check is shown.
   */
  cert?: string | Buffer | Array<string | Buffer> | undefined;
  /** PEM or a `KeyObject`: RSA, P-256, P-384 or Ed25519. */
  key?: PrivateKey | PrivateKey[] | undefined;
  /** For an encrypted `key`. */
  passphrase?: string | undefined;
  /** PEM: the roots that the peer's certificate has to end in, in the place of the default ones. */
  ca?: string | Buffer | Array<string | Buffer> | undefined;
  /** Whether a certificate that is not trusted ends the handshake. Default: true. */
  rejectUnauthorized?: boolean | undefined;
  /** `TLSv1.2` or `TLSv1.3`. Default: `tls.DEFAULT_MIN_VERSION`. */
  minVersion?: SecureVersion | undefined;
  /** Default: `tls.DEFAULT_MAX_VERSION`. */
  maxVersion?: SecureVersion | undefined;
  /** RFC 7301. Default: `['http/1.1']` of a server, none of a client. */
  ALPNProtocols?: string[] | Uint8Array[] | Uint8Array | undefined;
}

/** What a server shows and asks. */
export interface ServerTlsOptions extends TlsOptions {
  /** Whether clients are asked for a certificate. Default: false. */
  requestCert?: boolean | undefined;
  /** Seconds for which a session may be resumed; 0: none is. Default: 300. */
  sessionTimeout?: number | undefined;
}

/** Made by `createSecureContext`: to be made once and used for many connections. */
export interface SecureContext {
  readonly context: unknown;
}

/** TLS of a server of hawser's own, with `port`. Not in ws. */
export interface ServerOptionsOfTls extends ServerTlsOptions {
  /**
   * Certificates by the host that the client asks for (SNI); `*.` at the front stands for one label.
   * What an entry does not say is as the server has it, certificate and key apart.
   */
  secureContexts?: { [host: string]: ServerTlsOptions | SecureContext } | undefined;
  /** Asked for hosts that are not among `secureContexts`; without a context the server's is used. */
  SNICallback?:
    | ((
        servername: string,
        callback: (error: Error | null, context?: ServerTlsOptions | SecureContext | null) => void
      ) => void)
    | undefined;
}

/** Which roots a client trusts without `ca`. */
export interface RootOptions {
  /**
   * `node`: those that Node trusts, `NODE_EXTRA_CA_CERTS` included; `system`: the operating system's;
   * `bundled`: Mozilla's, as they were when hawser was built. Default: `node`. Not in ws.
   */
  roots?: 'node' | 'system' | 'bundled' | undefined;
}

/** Options of a `TlsConnector`. */
export interface TlsConnectorOptions extends TlsOptions, RootOptions {}

/** The client of `'tlsClientError'`; its connection is closed already. */
export interface TlsPeer {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/** A socket of a connection that hawser has encrypted itself: the part that is TLS's. */
export interface TlsSocketInfo {
  readonly encrypted: true;
  /** Whether the peer has shown a certificate that is trusted. */
  readonly authorized: boolean;
  /** Why it has not, a code of OpenSSL's; null if it has, or was not asked. */
  readonly authorizationError: string | null;
  readonly alpnProtocol: string | false;
  /** The host that the client has asked for. */
  readonly servername: string | false;
  getProtocol(): 'TLSv1.2' | 'TLSv1.3';
  getCipher(): { name: string; standardName: string; version: string };
  isSessionReused(): boolean;
  getPeerCertificate(detailed: true): DetailedPeerCertificate;
  getPeerCertificate(detailed?: false): PeerCertificate;
  getPeerX509Certificate(): X509Certificate | undefined;
  /** Our own; of several, the first. */
  getCertificate(): PeerCertificate | object;
}

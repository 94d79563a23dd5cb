// Types of hawser: those of @types/ws 8.18, and what it does not have. wrapper.d.mts names the same
// for ES modules.

/// <reference types="node" />

import { EventEmitter } from 'events';
import {
  Agent,
  ClientRequest,
  ClientRequestArgs,
  IncomingMessage,
  OutgoingHttpHeaders,
  Server as HTTPServer,
  ServerResponse
} from 'http';
import { Server as HTTPSServer } from 'https';
import { createConnection } from 'net';
import { Duplex, DuplexOptions, Writable } from 'stream';
import { SecureContextOptions } from 'tls';
import { URL } from 'url';
import { ZlibOptions } from 'zlib';
import * as Tls from './tls';

/** What `send` takes: a string, a number, a Blob, and everything that `Buffer.from` takes. */
type BufferLike =
  | string
  | Buffer
  | DataView
  | number
  | ArrayBufferView
  | Uint8Array
  | ArrayBuffer
  | SharedArrayBuffer
  | Blob
  | readonly any[]
  | readonly number[]
  | { valueOf(): ArrayBuffer }
  | { valueOf(): SharedArrayBuffer }
  | { valueOf(): Uint8Array }
  | { valueOf(): readonly number[] }
  | { valueOf(): string }
  | { [Symbol.toPrimitive](hint: string): string };

/**
 * A WebSocket (RFC 6455): a client's when it is made with `new`, a server's when it comes with the
 * `'connection'` event.
 *
 * Events, with the arguments of their listeners:
 * - `open`
 * - `message`: `(data, isBinary)`. `data` is a Buffer for text too; `binaryType` changes binary
 *   messages only. What is received belongs to the listener: it is never written to again.
 * - `ping`, `pong`: `(data)`
 * - `close`: `(code, reason)`, always the last one. 1005: the peer's close frame had no code.
 *   1006: no close frame was received, or the peer broke the protocol.
 * - `error`: `(error)`, at most one, before `close`. Protocol errors have a `code`, `WS_ERR_*`.
 * - `upgrade`: `(response)`, a client's, before the response is checked.
 * - `redirect`: `(url, request)`, a client's, when the request to `url` is about to be sent.
 * - `unexpected-response`: `(request, response)`, a client's, when the answer is no upgrade. With a
 *   listener there is no `error`, and the listener has to end the request.
 *
 * Events are emitted in the asynchronous context (`AsyncLocalStorage`) in which the WebSocket was
 * made.
 */
declare class WebSocket extends EventEmitter {
  /** The opening handshake is under way. */
  static readonly CONNECTING: 0;
  /** Messages can be sent and received. */
  static readonly OPEN: 1;
  /** The closing handshake is under way, or the connection is being destroyed. */
  static readonly CLOSING: 2;
  /** The connection is gone. */
  static readonly CLOSED: 3;

  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;

  /**
   * How binary messages arrive. May change while the connection is open; another value than these
   * is ignored. Default: `nodebuffer`.
   *
   * - `nodebuffer`: a Buffer. Its `.buffer` may be larger than the message.
   * - `arraybuffer`: an ArrayBuffer of exactly the message's length
   * - `fragments`: an array of Buffers, one for each fragment that is not empty
   * - `blob`: a Blob. Declare the listener's parameter as `WebSocket.RawData | Blob`.
   */
  binaryType: 'nodebuffer' | 'arraybuffer' | 'fragments' | 'blob';
  /**
   * Bytes that were sent and not yet handed to the operating system, headers of frames included.
   * What was sent too late, when CLOSING or CLOSED, counts as well and stays.
   */
  readonly bufferedAmount: number;
  /** The negotiated extensions; always empty for now. */
  readonly extensions: string;
  readonly isPaused: boolean;
  /** The negotiated subprotocol, or an empty string. */
  readonly protocol: string;
  readonly readyState:
    | typeof WebSocket.CONNECTING
    | typeof WebSocket.OPEN
    | typeof WebSocket.CLOSING
    | typeof WebSocket.CLOSED;
  /** The URL of a client. */
  readonly url: string;

  onopen: ((event: WebSocket.Event) => void) | null;
  onerror: ((event: WebSocket.ErrorEvent) => void) | null;
  onclose: ((event: WebSocket.CloseEvent) => void) | null;
  onmessage: ((event: WebSocket.MessageEvent) => void) | null;

  /** An object without a connection, as a server makes them. */
  constructor(
    address: null,
    protocols?: undefined,
    options?: WebSocket.ClientOptions | WebSocket.ServerOptions
  );
  /**
   * Connects to `address`. What can be told from the arguments throws; all else is an `'error'`
   * event, followed by `'close'`.
   *
   * @param address `ws:`, `wss:`, `http:`, `https:` (taken for `ws:` and `wss:`) or
   *   `ws+unix:/path/of/socket:/path/of/url`. User info becomes Basic authorization.
   * @throws {SyntaxError} The URL is invalid, has another scheme or a fragment; a subprotocol is
   *   no token (RFC 9110 section 5.6.2) or is there twice.
   * @throws {RangeError} `protocolVersion` is neither 13 nor 8.
   */
  constructor(address: string | URL, options?: WebSocket.ClientOptions | ClientRequestArgs);
  /** @param protocols The subprotocols to offer, the preferred one first. */
  constructor(
    address: string | URL,
    protocols?: string | string[],
    options?: WebSocket.ClientOptions | ClientRequestArgs
  );

  /**
   * Starts the closing handshake (RFC 6455 section 7). When it takes longer than `closeTimeout`
   * the connection is destroyed. While CONNECTING it gives the connection up: `'error'`, then
   * `'close'` with 1006.
   *
   * @param code 1000 to 1003, 1007 to 1014 or 3000 to 4999. Without one the close frame is empty.
   * @param data The reason, UTF-8, at most 123 bytes.
   * @throws {TypeError} The code is another, or the reason no string and no bytes.
   * @throws {RangeError} The reason is longer.
   */
  close(code?: number, data?: string | Buffer | Uint8Array): void;
  /**
   * Sends a ping (RFC 6455 section 5.5.2).
   *
   * @param data At most 125 bytes.
   * @param mask Default: true in a client, false in a server (section 5.1).
   * @param cb Called when the frame was handed to the operating system, or with an error.
   * @throws {Error} while CONNECTING
   * @throws {RangeError} The data is longer.
   */
  ping(data?: any, mask?: boolean, cb?: (err: Error) => void): void;
  /** Sends a pong that no ping has asked for (RFC 6455 section 5.5.3). See {@link ping}. */
  pong(data?: any, mask?: boolean, cb?: (err: Error) => void): void;
  /**
   * Sends a message: text for a string or a number, binary for all else. A Blob is read first;
   * what is sent after it waits.
   *
   * Bytes of 64 KiB and more that a server sends are not copied, and read later: neither change
   * nor transfer them before `cb` is called.
   *
   * @param cb Called when the message was handed to the operating system, or with an error.
   * @throws {Error} while CONNECTING
   * @throws {TypeError} for what `Buffer.from` refuses
   */
  send(data: BufferLike, cb?: (err?: Error) => void): void;
  send(
    data: BufferLike,
    options: {
      /** Whether the frame is masked. Default: true in a client, false in a server. */
      mask?: boolean | undefined;
      /** Whether the message is binary. Default: by the type of `data`. */
      binary?: boolean | undefined;
      /** Whether to compress it, where permessage-deflate was agreed on. Default: true. */
      compress?: boolean | undefined;
      /** Whether this is the message's last fragment. Default: true. */
      fin?: boolean | undefined;
    },
    cb?: (err?: Error) => void
  ): void;
  /** Destroys the connection, without a closing handshake. */
  terminate(): void;
  /**
   * Stops all events at once, and soon after the reading of the socket. Does nothing when
   * CONNECTING or CLOSED.
   */
  pause(): void;
  /** Goes on after {@link pause}, with the next tick. */
  resume(): void;
  /**
   * Makes a WebSocket that was constructed with `null` out of a stream whose opening handshake is
   * over, and emits `'open'`.
   *
   * @param head What was received with the handshake.
   * @param options Those of the constructor hold too.
   */
  setSocket(
    socket: Duplex,
    head: Buffer,
    options: WebSocket.ConnectionOptions & { generateMask?(mask: Buffer): void }
  ): void;

  /** For `open`, `message`, `close` and `error`; others are ignored. */
  addEventListener<K extends keyof WebSocket.WebSocketEventMap>(
    type: K,
    listener:
      | ((event: WebSocket.WebSocketEventMap[K]) => void)
      | { handleEvent(event: WebSocket.WebSocketEventMap[K]): void },
    options?: WebSocket.EventListenerOptions
  ): void;
  removeEventListener<K extends keyof WebSocket.WebSocketEventMap>(
    type: K,
    listener:
      | ((event: WebSocket.WebSocketEventMap[K]) => void)
      | { handleEvent(event: WebSocket.WebSocketEventMap[K]): void }
  ): void;

  on<K extends keyof WebSocketEvents>(
    event: K,
    listener: (this: WebSocket, ...args: WebSocketEvents[K]) => void
  ): this;
  on(event: string | symbol, listener: (this: WebSocket, ...args: any[]) => void): this;
  once<K extends keyof WebSocketEvents>(
    event: K,
    listener: (this: WebSocket, ...args: WebSocketEvents[K]) => void
  ): this;
  once(event: string | symbol, listener: (this: WebSocket, ...args: any[]) => void): this;
  off<K extends keyof WebSocketEvents>(
    event: K,
    listener: (this: WebSocket, ...args: WebSocketEvents[K]) => void
  ): this;
  off(event: string | symbol, listener: (this: WebSocket, ...args: any[]) => void): this;
  addListener<K extends keyof WebSocketEvents>(
    event: K,
    listener: (...args: WebSocketEvents[K]) => void
  ): this;
  addListener(event: string | symbol, listener: (...args: any[]) => void): this;
  removeListener<K extends keyof WebSocketEvents>(
    event: K,
    listener: (...args: WebSocketEvents[K]) => void
  ): this;
  removeListener(event: string | symbol, listener: (...args: any[]) => void): this;
}

/** The events of a WebSocket, with the arguments of their listeners. */
interface WebSocketEvents {
  open: [];
  message: [data: WebSocket.RawData, isBinary: boolean];
  ping: [data: Buffer];
  pong: [data: Buffer];
  close: [code: number, reason: Buffer];
  error: [error: Error];
  upgrade: [response: IncomingMessage];
  redirect: [url: string, request: ClientRequest];
  'unexpected-response': [request: ClientRequest, response: IncomingMessage];
}

/** The events of a server, with the arguments of their listeners. */
interface ServerEvents<T extends typeof WebSocket, U extends typeof IncomingMessage> {
  connection: [websocket: InstanceType<T>, request: InstanceType<U>];
  request: [request: IncomingMessage, response: ServerResponse];
  headers: [headers: string[], request: InstanceType<U>];
  wsClientError: [error: Error, socket: Duplex, request: InstanceType<U>];
  tlsClientError: [error: Error, peer: Tls.TlsPeer];
  listening: [];
  close: [];
  error: [error: Error];
}

declare const WebSocketAlias: typeof WebSocket;
interface WebSocketAlias extends WebSocket {}

declare namespace WebSocket {
  /** A received message; a Blob instead when `binaryType` is `blob`. */
  type RawData = Buffer | ArrayBuffer | Buffer[];

  /** The data of a MessageEvent: text is a string here. */
  type Data = string | Buffer | ArrayBuffer | Buffer[];

  type CertMeta = string | string[] | Buffer | Buffer[];

  /** Whether to accept the request; a falsy value refuses it with 401. */
  type VerifyClientCallbackSync<Request extends IncomingMessage = IncomingMessage> = (info: {
    /** The `Origin` field of the request; undefined at run time if it has none. */
    origin: string;
    /** Whether the request came over TLS. */
    secure: boolean;
    req: Request;
  }) => boolean;

  /**
   * The same, with the answer given by `callback`. It is the number of parameters, two, that makes
   * the difference. The first call counts.
   */
  type VerifyClientCallbackAsync<Request extends IncomingMessage = IncomingMessage> = (
    info: { origin: string; secure: boolean; req: Request },
    callback: (
      res: boolean,
      /** HTTP status of the refusal. Default: 401. */
      code?: number,
      /** Body of the refusal. Default: the status in words. */
      message?: string,
      headers?: OutgoingHttpHeaders
    ) => void
  ) => void;

  type FinishRequestCallback = (request: ClientRequest, websocket: WebSocket) => void;

  /** What clients and servers have in common. */
  interface ConnectionOptions {
    /**
     * False: each `message`, `ping` and `pong` is emitted in a turn of the event loop of its own.
     * Default: true.
     */
    allowSynchronousEvents?: boolean | undefined;
    /**
     * Whether pings are answered without the application; the pong goes out before `'ping'` is
     * emitted. Default: true.
     */
    autoPong?: boolean | undefined;
    /**
     * Most automatic pongs that may wait to be written; with one more the connection is destroyed.
     * 0 = no limit. Default: 60.
     */
    maxPendingAutoPongs?: number | undefined;
    /**
     * Milliseconds that the closing handshake may take from our close frame on, before the
     * connection is destroyed. Default: 30000.
     */
    closeTimeout?: number | undefined;
    /**
     * Most bytes of one received message; more is an error, closed with 1009 (RFC 6455 section
     * 7.4.1) as soon as a header announces it. 0 = 4 GiB - 1. Default: 104857600 (100 MiB).
     */
    maxPayload?: number | undefined;
    /**
     * Most bytes of payload of one received data frame; an error as for `maxPayload`. 0 = no limit.
     * Default: 0. Not in ws.
     */
    maxFrameSize?: number | undefined;
    /**
     * Most fragments of one received message, empty ones included; more is an error, closed with
     * 1008. 0 = no limit. Default: 16384.
     */
    maxFragments?: number | undefined;
    /**
     * Accepted and without effect: hawser gathers a message in one buffer, so there are no chunks
     * to count.
     */
    maxBufferedChunks?: number | undefined;
    /** Hand over text and close reasons without checking that they are UTF-8. Default: false. */
    skipUTF8Validation?: boolean | undefined;
    /**
     * Compression (permessage-deflate, RFC 7692), if the peer agrees; `true`: with the defaults.
     * Default: false in servers, true in clients.
     */
    perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined;
  }

  /**
   * Options of a client, and those of `http.request`, `https.request` and `tls.connect` but for what
   * the URL says.
   *
   * The connection is made on an I/O thread, unless that takes Node's own HTTP client: for `agent`,
   * `createConnection`, `finishRequest`, `followRedirects`, `signal`, `setHost`, options of its
   * parser, and those of TLS that only OpenSSL can honour (`pfx`, `ciphers`, `secureContext`,
   * `checkServerIdentity`, TLS 1.1, ...).
   */
  interface ClientOptions extends ConnectionOptions, SecureContextOptions, Tls.RootOptions {
    /** Certificates, roots and sessions that many sockets share. Not in ws. */
    connector?: TlsConnector | undefined;
    /** The protocols to offer by ALPN, RFC 7301 (TLS). Default: none. */
    ALPNProtocols?: Tls.TlsOptions['ALPNProtocols'];
    /** The subprotocols to offer, when the second argument is not given. */
    protocols?: string | string[] | undefined;
    /** Without effect, as in ws: it is the URL that says. */
    protocol?: string | undefined;
    /** Without effect, as in ws: it is the URL that says. */
    host?: string | undefined;
    /** The `Origin` field (`Sec-WebSocket-Origin` with `protocolVersion` 8). */
    origin?: string | undefined;
    /** More fields of the request. Those of the handshake itself cannot be set. */
    headers?: { [key: string]: string } | undefined;
    /** 13 or 8: the `Sec-WebSocket-Version`. The frames are the same. Default: 13. */
    protocolVersion?: number | undefined;
    /** Milliseconds until the connection has to be open. Default: 0, no limit. */
    handshakeTimeout?: number | undefined;
    /** Fills `mask`, 4 bytes, with the masking key of the next frame. Default: random keys. */
    generateMask?(mask: Buffer): void;
    /** The address to connect from. */
    localAddress?: string | undefined;
    /** 4 or 6: the addresses to look up. Default: both. */
    family?: number | undefined;
    /**
     * Follow redirects. Credentials are not sent to another host, nor from `wss:` to `ws:`, unless
     * `'redirect'` has a listener. Default: false.
     */
    followRedirects?: boolean | undefined;
    /** Most redirects to follow. Default: 10. */
    maxRedirects?: number | undefined;
    /** The agent of the request, for instance one that goes through a proxy. */
    agent?: Agent | undefined;
    /** Makes the connection of the request. */
    createConnection?: typeof createConnection | undefined;
    /** Changes the request before it is sent; has to call `request.end()`. */
    finishRequest?: FinishRequestCallback | undefined;
    /** Gives the handshake up with an `AbortError`. */
    signal?: AbortSignal | undefined;
    /** The server name for SNI and for its certificate (TLS). Default: the URL's host. */
    servername?: string | undefined;
    /** Judges the server's certificate (TLS). Default: `tls.checkServerIdentity`. */
    checkServerIdentity?(servername: string, cert: CertMeta): boolean;
    /** Whether a certificate that cannot be verified is an error (TLS). Default: true. */
    rejectUnauthorized?: boolean | undefined;
  }

  /** What to agree on (RFC 7692 section 7.1), and how to compress. */
  interface PerMessageDeflateOptions {
    /**
     * `dedicated`: each connection has contexts of its own, as far as takeover is agreed on. The others
     * agree on no takeover in either direction, so that a connection holds nothing between messages:
     * `shared` with a window of 32 KiB for what this end compresses, `shared4kb`, `shared8kb` and
     * `shared16kb` with a smaller one, which takes less of the thread's and the peer's memory.
     * Default: `dedicated`. Not in ws.
     */
    mode?: 'dedicated' | 'shared' | 'shared4kb' | 'shared8kb' | 'shared16kb' | undefined;
    /**
     * Bytes that the contexts of all connections in the process may come to, 64 KiB each at the
     * defaults; beyond it connections agree on no takeover. Default: no limit. Not in ws.
     */
    contextBudget?: number | undefined;
    /** True: the server forgets its context after each message. False: such an offer is declined. */
    serverNoContextTakeover?: boolean | undefined;
    /** The same for the client's context; false: such an answer fails the handshake. */
    clientNoContextTakeover?: boolean | undefined;
    /** The window of what the server compresses, in bits: 8 to 15. 8 means 9 where it is our own. */
    serverMaxWindowBits?: number | boolean | undefined;
    /** The window of what the client compresses, in bits: 8 to 15; or whether the server may ask. */
    clientMaxWindowBits?: number | boolean | undefined;
    /**
     * zlib's: `level` (-1 to 9; default -1, which is 6), `memLevel` (1 to 9, default 8), `strategy`
     * (0 to 4, default 0). `dictionary` throws (`ERR_HAWSER_NOT_SUPPORTED`); the rest has no effect.
     */
    zlibDeflateOptions?:
      | {
          flush?: number | undefined;
          finishFlush?: number | undefined;
          chunkSize?: number | undefined;
          windowBits?: number | undefined;
          level?: number | undefined;
          memLevel?: number | undefined;
          strategy?: number | undefined;
          dictionary?: Buffer | Buffer[] | DataView | undefined;
          info?: boolean | undefined;
        }
      | undefined;
    /** Accepted and without effect; `dictionary` throws. */
    zlibInflateOptions?: ZlibOptions | undefined;
    /**
     * Bytes below which a message is not compressed, without context takeover; the first fragment
     * counts. Default: 1024.
     */
    threshold?: number | undefined;
    /** Accepted and without effect: the I/O threads compress, as many at a time as there are. */
    concurrencyLimit?: number | undefined;
  }

  /** Options of a server; exactly one of `port`, `server` and `noServer` has to be given. */
  interface ServerOptions<
    U extends typeof WebSocket.WebSocket = typeof WebSocket.WebSocket,
    V extends typeof IncomingMessage = typeof IncomingMessage
  >
    extends ConnectionOptions, Tls.ServerOptionsOfTls {
    /** The address or name to listen on. Default: all addresses of both families. */
    host?: string | undefined;
    /** 0 to 65535; 0 = any free port, see `address()`. */
    port?: number | undefined;
    /** Connections that may wait to be accepted. Default: 511. */
    backlog?: number | undefined;
    /** The only path that is served, without a query; others get 400. Default: all. */
    path?: string | undefined;
    /** Whether `clients` is kept. Default: true. */
    clientTracking?: boolean | undefined;
    /** Whether to accept a request. Default: every one. */
    verifyClient?:
      | VerifyClientCallbackAsync<InstanceType<V>>
      | VerifyClientCallbackSync<InstanceType<V>>
      | undefined;
    /**
     * Chooses one of the subprotocols that the client offers; a falsy value chooses none. Default:
     * the client's first.
     */
    handleProtocols?: (protocols: Set<string>, request: InstanceType<V>) => string | false;
    /** The class of the server's WebSockets. Default: `WebSocket`. */
    WebSocket?: U | undefined;
    /**
     * Milliseconds from accepting a connection until the head of its request is complete, a TLS
     * handshake included; then it gets 408. 0 = no limit. Default: 60000. Not in ws.
     */
    handshakeTimeout?: number | undefined;
    /**
     * SO_REUSEPORT: several servers, of worker threads or processes, share the port, and the
     * operating system spreads the connections. Default: false; always on in a worker of
     * `node:cluster`. Not on Windows. Not in ws.
     */
    reusePort?: boolean | undefined;
    /** Whether an IPv6 address takes no IPv4 connections. Default: false. Not in ws. */
    ipv6Only?: boolean | undefined;
    /** The HTTP(S) server whose upgrade requests are answered. */
    server?: HTTPServer<V> | HTTPSServer<V> | undefined;
    /** Only `handleUpgrade` brings connections. Default: false. */
    noServer?: boolean | undefined;
  }

  interface AddressInfo {
    address: string;
    /** `IPv4` or `IPv6`. */
    family: string;
    port: number;
  }

  interface Event {
    type: string;
    target: WebSocket;
  }

  interface ErrorEvent {
    error: any;
    message: string;
    type: string;
    target: WebSocket;
  }

  interface CloseEvent {
    /** Whether a close frame was sent and one received. */
    wasClean: boolean;
    code: number;
    reason: string;
    type: string;
    target: WebSocket;
  }

  interface MessageEvent {
    data: Data;
    type: string;
    target: WebSocket;
  }

  interface WebSocketEventMap {
    open: Event;
    error: ErrorEvent;
    close: CloseEvent;
    message: MessageEvent;
  }

  interface EventListenerOptions {
    once?: boolean | undefined;
  }

  /** Options of `configureRuntime`. */
  interface RuntimeOptions {
    /**
     * I/O threads, 1 to 128. Default: the environment variable `HAWSER_THREADS`, or one less than
     * the cores, at least 1 and at most 4.
     */
    threads?: number | undefined;
  }

  /**
   * A server. With `port` it listens by itself, and keeps the process alive until it is closed.
   *
   * Events, with the arguments of their listeners:
   * - `connection`: `(websocket, request)`
   * - `request`: `(request, response)`, a plain HTTP request: answer it as with `http.Server`.
   *   Without a listener it gets 426. Not in ws.
   * - `headers`: `(lines, request)`, before the 101 is sent; the array may be changed.
   * - `wsClientError`: `(error, socket, request)`, a bad upgrade request; the listener owns the
   *   socket and has to answer or destroy it. Without a listener it gets the response of ws.
   * - `listening`
   * - `close`: after `close()`, when the last connection is gone
   * - `error`: `(error)`
   */
  class Server<
    T extends typeof WebSocket.WebSocket = typeof WebSocket.WebSocket,
    U extends typeof IncomingMessage = typeof IncomingMessage
  > extends EventEmitter {
    options: ServerOptions<T, U>;
    /** Declared as in @types/ws; at run time there is only `options.path`. */
    path: string;
    /** The open WebSockets; undefined at run time with `clientTracking: false`. */
    clients: Set<InstanceType<T>>;

    /**
     * @param callback A listener for `'listening'`.
     * @throws {TypeError} Not exactly one of `port`, `server` and `noServer` is given.
     * @throws {RangeError} with the code `ERR_SOCKET_BAD_PORT`
     */
    constructor(options?: ServerOptions<T, U>, callback?: () => void);

    /**
     * Where it listens; null before `'listening'` and after `close()`.
     *
     * @throws {Error} with `noServer`
     */
    address(): AddressInfo | string | null;
    /**
     * Stops listening and closes no client: `'close'` follows the last one. A `server` of the
     * application's is left, not closed.
     *
     * @param cb A listener for `'close'`; called with an Error if the server is closed already.
     */
    close(cb?: (err?: Error) => void): void;
    /**
     * Replaces the certificates and limits of a server with TLS, for connections to come. What is not
     * given stays as it is. Not in ws.
     *
     * @throws {Error} that names the option which is bad; then nothing changes
     */
    setSecureContext(options: Tls.ServerOptionsOfTls): void;
    /**
     * Answers an upgrade request that somebody else has read, as listeners of an HTTP server's
     * `'upgrade'` get it.
     *
     * A plain `net.Socket` is moved to an I/O thread and stays the connection's identity
     * (addresses, settings, `destroy()`, `'close'`). Any other stream is read and written by
     * JavaScript.
     *
     * @param callback Called when the connection is open; not if the request is refused.
     * @throws {Error} The socket is a WebSocket's already.
     */
    handleUpgrade(
      request: InstanceType<U>,
      socket: Duplex,
      upgradeHead: Buffer,
      callback: (client: InstanceType<T>, request: InstanceType<U>) => void
    ): void;
    /**
     * Whether a request is for this server; may be overridden. Falsy: 400. A promise is not awaited
     * and counts as true, as in ws.
     */
    shouldHandle(request: InstanceType<U>): boolean | Promise<boolean>;

    on<K extends keyof ServerEvents<T, U>>(
      event: K,
      listener: (this: Server<T>, ...args: ServerEvents<T, U>[K]) => void
    ): this;
    on(event: string | symbol, listener: (this: Server<T>, ...args: any[]) => void): this;
    once<K extends keyof ServerEvents<T, U>>(
      event: K,
      listener: (this: Server<T>, ...args: ServerEvents<T, U>[K]) => void
    ): this;
    once(event: string | symbol, listener: (this: Server<T>, ...args: any[]) => void): this;
    off<K extends keyof ServerEvents<T, U>>(
      event: K,
      listener: (this: Server<T>, ...args: ServerEvents<T, U>[K]) => void
    ): this;
    off(event: string | symbol, listener: (this: Server<T>, ...args: any[]) => void): this;
    addListener<K extends keyof ServerEvents<T, U>>(
      event: K,
      listener: (...args: ServerEvents<T, U>[K]) => void
    ): this;
    addListener(event: string | symbol, listener: (...args: any[]) => void): this;
    removeListener<K extends keyof ServerEvents<T, U>>(
      event: K,
      listener: (...args: ServerEvents<T, U>[K]) => void
    ): this;
    removeListener(event: string | symbol, listener: (...args: any[]) => void): this;
  }

  const WebSocketServer: typeof Server;
  interface WebSocketServer extends Server {}
  const WebSocket: typeof WebSocketAlias;
  interface WebSocket extends WebSocketAlias {}

  /**
   * Sets the number of I/O threads of the process. They start with the first socket and are shared
   * by the main thread and all `worker_threads`. Not in ws.
   *
   * @throws {RangeError} `threads` is no integer from 1 to 128.
   * @throws {Error} The threads run already.
   */
  function configureRuntime(options?: RuntimeOptions): void;

  type TlsConnectorOptions = Tls.TlsConnectorOptions;
  type SecureContext = Tls.SecureContext;
  type ServerTlsOptions = Tls.ServerTlsOptions;
  type TlsSocketInfo = Tls.TlsSocketInfo;

  /** TLS for clients: sockets that share one share its certificates, and resume sessions. Not in ws. */
  class TlsConnector {
    /**
     * @throws {Error} `ERR_HAWSER_NOT_SUPPORTED` for what only Node's TLS can honour; other errors
     *   name the option that is bad.
     */
    constructor(options?: TlsConnectorOptions);
  }

  /** Certificates for `secureContexts` and `SNICallback`. Not in ws. */
  function createSecureContext(options: ServerTlsOptions): SecureContext;

  /**
   * A Duplex on top of a WebSocket: each write sends a message, and messages are read. Reading too
   * little pauses the WebSocket. `end()` closes, `destroy()` terminates.
   *
   * @param options `readableObjectMode`: a message is a chunk, text a string.
   */
  function createWebSocketStream(websocket: WebSocket, options?: DuplexOptions): Duplex;

  /**
   * Reads frames on the JavaScript thread: bytes are written to it, and it emits `message`
   * (data, isBinary), `ping` and `pong` (data), `conclude` (code, reason), and `error` as a
   * WebSocket does.
   */
  class Receiver extends Writable {
    constructor(options?: {
      /** Default: true; see {@link ConnectionOptions}. */
      allowSynchronousEvents?: boolean | undefined;
      /** Default: `nodebuffer`. */
      binaryType?: WebSocket['binaryType'] | undefined;
      /** Negotiated extensions: `{ 'permessage-deflate': PerMessageDeflate }`. */
      extensions?: Extensions | undefined;
      /** Whether frames come from a client. Default: false. */
      isServer?: boolean | undefined;
      /** Accepted and without effect. */
      maxBufferedChunks?: number | undefined;
      /** 0, the default, = no limit. */
      maxFragments?: number | undefined;
      /** Bytes; 0, the default, = 4 GiB - 1. */
      maxPayload?: number | undefined;
      /** Default: false. */
      skipUTF8Validation?: boolean | undefined;
    });
  }

  interface FrameOptions {
    /** Whether it is the last of its message. */
    fin?: boolean | undefined;
    /** Fills in the masking key. Default: a random one. */
    generateMask?(mask: Buffer): void;
    mask?: boolean | undefined;
    /** Where the masking key is put, 4 bytes. */
    maskBuffer?: Buffer | undefined;
    /** RFC 6455 section 5.2. */
    opcode: number;
    /** Whether `data` must not be masked in place. */
    readOnly?: boolean | undefined;
    rsv1?: boolean | undefined;
  }

  /** Writes frames to a stream, on the JavaScript thread. */
  class Sender {
    /** @param extensions Negotiated ones: `{ 'permessage-deflate': PerMessageDeflate }`. */
    constructor(socket: Duplex, extensions?: Extensions, generateMask?: (mask: Buffer) => void);
    /** The bytes of a frame: its header, and its payload if that is not in the same Buffer. */
    static frame(data: Buffer | string, options: FrameOptions): Buffer[];
    send(
      data: BufferLike,
      options: { binary?: boolean; compress?: boolean; fin?: boolean; mask?: boolean },
      cb?: (err?: Error) => void
    ): void;
    ping(data: any, mask?: boolean, cb?: (err?: Error) => void): void;
    pong(data: any, mask?: boolean, cb?: (err?: Error) => void): void;
    close(code?: number, data?: string | Buffer, mask?: boolean, cb?: (err?: Error) => void): void;
    /** Writes what {@link Sender.frame} has returned. */
    sendFrame(list: Array<Buffer | string>, cb?: (err?: Error) => void): void;
  }

  /** Extensions by name. */
  interface Extensions {
    'permessage-deflate'?: PerMessageDeflate | undefined;
  }

  /** Parameters of permessage-deflate; `true` for those without a value (RFC 7692 section 7.1). */
  interface PerMessageDeflateParams {
    server_no_context_takeover?: true | undefined;
    client_no_context_takeover?: true | undefined;
    server_max_window_bits?: number | true | undefined;
    client_max_window_bits?: number | true | undefined;
  }

  /**
   * permessage-deflate by itself, on the JavaScript thread: for a {@link Sender} or {@link Receiver}
   * of the application's.
   */
  class PerMessageDeflate {
    /** @throws {TypeError|RangeError} for an option that is out of its range */
    constructor(
      options?: PerMessageDeflateOptions & {
        /** Default: false. */
        isServer?: boolean | undefined;
        /** Bytes of a message that is inflated; 0, the default, = 4 GiB - 1. */
        maxPayload?: number | undefined;
      }
    );
    static readonly extensionName: 'permessage-deflate';
    /** What was agreed on; null until {@link accept}. */
    params: PerMessageDeflateParams | null;
    /** What a client offers. */
    offer(): PerMessageDeflateParams;
    /**
     * A server's answer to a client's offers, or a client's judgement of that answer.
     *
     * @param configurations what `extension.parse` has for the extension
     * @throws {Error} when they are malformed or not acceptable
     */
    accept(
      configurations: Array<{ [parameter: string]: ExtensionValue[] }>
    ): PerMessageDeflateParams;
    /** Compresses a message, or a fragment of one. */
    compress(
      data: Buffer | string,
      fin: boolean,
      callback: (err: Error | null, data: Buffer) => void
    ): void;
    /** Inflates the payload of a frame; `err.code` is zlib's or `WS_ERR_UNSUPPORTED_MESSAGE_LENGTH`. */
    decompress(
      data: Buffer,
      fin: boolean,
      callback: (err: Error | null, data: Buffer) => void
    ): void;
    /** Gives all memory back; what is being compressed fails. */
    cleanup(): void;
  }

  /** The value of a parameter of an extension; true without one. */
  type ExtensionValue = string | number | true;

  /** `Sec-WebSocket-Extensions` (RFC 6455 section 9.1). */
  const extension: {
    /**
     * For each extension its offers, for each of these its parameters.
     *
     * @throws {SyntaxError}
     */
    parse(header: string): { [name: string]: Array<{ [param: string]: Array<string | true> }> };
    format(extensions: {
      [name: string]:
        | { [param: string]: ExtensionValue | ExtensionValue[] }
        | Array<{ [param: string]: ExtensionValue | ExtensionValue[] }>;
    }): string;
  };

  /** `Sec-WebSocket-Protocol` (RFC 6455 section 11.3.4). */
  const subprotocol: {
    /**
     * The subprotocols in the client's order of preference.
     *
     * @throws {SyntaxError}
     */
    parse(header: string): Set<string>;
  };
}

export = WebSocket;

'use strict';

const EventEmitter = require('events');

const {
  BINARY_TYPES,
  CLOSE_TIMEOUT,
  EMPTY_BUFFER,
  EXTENSION_NAME,
  SEND,
  kWebSocket
} = require('./constants');
const { destroyedError, systemError } = require('./errors');
const { EventTarget, defineAttributes } = require('./event-target');
const { closePayload } = require('./validation');
const agreement = require('./agreement');
const asyncContext = require('./async-context');
const AdoptedCarrier = require('./adopted-socket');
const bufferedCounter = require('./buffered-counter');
const client = require('./client');
const delivery = require('./delivery');
const {
  ConnectionReceiver,
  ConnectionSender,
  extensionsOf,
  resetExtensions,
  setExtensions,
  takeUpExtensions
} = require('./connection-views');
const HeldEvents = require('./held-events');
const events = require('./events');
const native = require('./native');
const NativeSocket = require('./native-socket');
const outgoing = require('./outgoing');
const StreamCarrier = require('./stream-carrier');

const { readyStates } = outgoing;
const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3];

/** A WebSocket with the API of ws; see index.d.ts. */
class WebSocket extends EventEmitter {
  /**
   * @param {string|URL|null} address null makes an object without a connection, as servers do
   * @param {string|string[]} [protocols]
   * @param {object} [options]
   */
  constructor(address, protocols, options) {
    super();

    this._binaryType = BINARY_TYPES[0];
    this._closeCode = 1006;
    this._closeFrameReceived = false;
    this._closeFrameSent = false;
    this._closeMessage = EMPTY_BUFFER;
    this._errorEmitted = false;
    /** What is agreed on of permessage-deflate; see lib/agreement.js. */
    this._deflate = null;
    /** The I/O thread has left the pong for the last ping to us. */
    this._pongWanted = false;
    /** Called when our half of the connection ends. */
    this._shutCallbacks = null;
    this._isServer = false;
    /** pause() was called; and events are held, because of that or of the socket's own pause(). */
    this._paused = false;
    this._stopped = false;
    this._protocol = '';
    this._readyState = CONNECTING;

    /** The native connection's id; -1 without one. */
    this._conn = -1;
    /** Memory of the counters behind `bufferedAmount`, and where in it ours are. */
    this._counters = null;
    this._counterIndex = 0;
    /** Bytes given to the native side, framing included. */
    this._queuedBytes = 0;
    /** Bytes that were given too late to be sent, and those that wait behind a Blob. */
    this._lateBytes = 0;
    /** Callbacks of sends under way, in order. */
    this._callbacks = null;
    /** Events that wait because of pause() or allowSynchronousEvents: false. */
    this._held = null;
    /** Sends that wait for a Blob to be read. */
    this._deferred = null;
    this._generateMask = null;
    /** What joins us to a socket: null on a native connection whose socket nobody has asked for. */
    this._carrier = null;
    /** Somebody waits for the socket's 'drain'. */
    this._drainExpected = false;
    /** What stands for ws's receiver and sender, once somebody has asked for it. */
    this._receiverView = null;
    this._senderView = null;
    /** What goes out before anything else: the answer to an upgrade request. */
    this._response = EMPTY_BUFFER;
    /** Where the fragments of the next message end. */
    this._fragmentEnds = null;
    /** For lib/events.js: where events are emitted, the turn and the read of the last one. */
    this._context = asyncContext.capture();
    this._lastTurn = 0;
    this._lastRead = 0;
    this._peer = null;
    this._server = null;
    /** A client's handshake under way, and its request if that is Node's. */
    this._request = null;
    this._req = null;
    this._allowSynchronousEvents = true;

    if (address !== null) {
      client.connect(this, address, protocols, options);
    } else {
      this._autoPong = options?.autoPong;
      this._closeTimeout = options?.closeTimeout;
      this._maxPendingAutoPongs = options?.maxPendingAutoPongs;
      this._isServer = true;
    }
  }

  /** How binary messages arrive; setting anything else than the four types is ignored. */
  get binaryType() {
    return this._binaryType;
  }

  set binaryType(type) {
    if (BINARY_TYPES.includes(type)) this._binaryType = type;
  }

  /** Bytes queued and not yet handed to the operating system, framing included. */
  get bufferedAmount() {
    return this._unsent() + this._lateBytes;
  }

  get extensions() {
    return this._deflate === null ? '' : EXTENSION_NAME;
  }

  /** The agreed extensions by name, as ws has them; the codec in it is not the connection's. */
  get _extensions() {
    return extensionsOf(this);
  }

  set _extensions(extensions) {
    setExtensions(this, extensions);
  }

  get isPaused() {
    return this._paused;
  }

  get protocol() {
    return this._protocol;
  }

  get readyState() {
    return this._readyState;
  }

  get url() {
    return this._url;
  }

  /** The connection's socket; of a native connection what can be had: see lib/native-socket.js. */
  get _socket() {
    if (this._carrier === null) {
      if (this._peer === null) return null;
      this._carrier = NativeSocket.of(this._conn, this._peer, this);
    }
    return this._carrier.socket;
  }

  get _receiver() {
    if (this._options === undefined) return null;
    this._receiverView ??= new ConnectionReceiver(this);
    return this._receiverView;
  }

  get _sender() {
    if (this._options === undefined) return null;
    this._senderView ??= new ConnectionSender(this);
    return this._senderView;
  }

  // ---- the application's calls ----

  /**
   * Sends a message.
   *
   * @param {*} data a string is text, a number becomes one; all else that `Buffer.from` takes and
   *   Blobs are binary
   * @param {{ binary?: boolean, compress?: boolean, fin?: boolean, mask?: boolean }} [options]
   * @param {Function} [cb] called when the message is handed to the operating system
   * @throws {Error} while CONNECTING
   */
  send(data, options, cb) {
    if (this._readyState === CONNECTING) {
      throw new Error('WebSocket is not open: readyState 0 (CONNECTING)');
    }
    if (typeof options === 'function') {
      cb = options;
      options = undefined;
    }
    if (typeof data === 'number') data = data.toString();
    if (this._readyState !== OPEN) {
      outgoing.sendAfterClose(this, data, cb);
      return;
    }

    let flags = SEND.FIN | SEND.COMPRESS;
    if (!this._isServer) flags |= SEND.MASK;
    let binary = typeof data !== 'string';
    if (options) {
      if ('binary' in options) binary = options.binary;
      if ('fin' in options && !options.fin) flags &= ~SEND.FIN;
      if ('compress' in options && !options.compress) flags &= ~SEND.COMPRESS;
      if ('mask' in options) flags = options.mask ? flags | SEND.MASK : flags & ~SEND.MASK;
    }
    if (binary) flags |= SEND.BINARY;
    outgoing.send(this, data || EMPTY_BUFFER, flags, cb);
  }

  /** @throws {RangeError} when `data` is over 125 bytes */
  ping(data, mask, cb) {
    outgoing.control(this, native.ping, data, mask, cb);
  }

  /** @throws {RangeError} when `data` is over 125 bytes */
  pong(data, mask, cb) {
    outgoing.control(this, native.pong, data, mask, cb);
  }

  /**
   * Starts the closing handshake.
   *
   * @param {number} [code]
   * @param {string|Buffer} [reason] at most 123 bytes
   */
  close(code, reason) {
    if (this._readyState === CLOSED) return;
    if (this._readyState === CONNECTING) {
      client.abort(this, 'WebSocket was closed before the connection was established');
      return;
    }
    if (this._readyState === CLOSING) return;

    const body = closePayload(code, reason);
    this._readyState = CLOSING;
    if (this._deferred === null) outgoing.closeNow(this, body);
    else this._deferred.push(() => outgoing.closeNow(this, body));
  }

  /** Destroys the connection. */
  terminate() {
    if (this._readyState === CLOSED) return;
    if (this._readyState === CONNECTING) {
      client.abort(this, 'WebSocket was closed before the connection was established');
      return;
    }
    this._readyState = CLOSING;
    if (this._carrier !== null) this._carrier.terminate();
    else if (this._conn !== -1) native.terminate(this._conn);
  }

  /** Stops the delivery of events at once; the peer feels it when the credit is used up. */
  pause() {
    if (this._readyState === CONNECTING || this._readyState === CLOSED) return;
    if (this._paused) return;
    this._paused = true;
    this._stop();
    this._carrier?.setPaused(true);
  }

  resume() {
    if (this._readyState === CONNECTING || this._readyState === CLOSED) return;
    if (!this._paused) return;
    this._paused = false;
    this._flow();
    this._carrier?.setPaused(false);
  }

  /** Events are held from now on. */
  _stop() {
    this._stopped = true;
    this._held ??= new HeldEvents(this);
    this._held.throttle();
  }

  /** Events are emitted again. */
  _flow() {
    if (!this._stopped) return;
    this._stopped = false;
    this._held?.plan();
  }

  /**
   * Makes a WebSocket out of a Duplex whose opening handshake is over, and emits 'open'.
   *
   * @param {import('stream').Duplex} socket
   * @param {Buffer} head what was received with the handshake
   * @param {object} options limits and manners; those of the constructor hold too
   */
  setSocket(socket, head, options) {
    const response = this._response;
    this._response = EMPTY_BUFFER;
    const limits = {
      autoPong: this._autoPong,
      closeTimeout: this._closeTimeout ?? CLOSE_TIMEOUT,
      maxPendingAutoPongs: this._maxPendingAutoPongs ?? 0,
      ...options
    };
    takeUpExtensions(this, limits);
    if (options.generateMask) outgoing.setGenerateMask(this, options.generateMask);
    // streams of other kinds have neither
    if (socket.setTimeout) socket.setTimeout(0);
    if (socket.setNoDelay) socket.setNoDelay();
    this._carrier =
      AdoptedCarrier.adopt(this, socket, head, response, limits) ??
      StreamCarrier.relay(this, socket, head, response, limits);
    socket[kWebSocket] = this;
    this._begin(this._carrier.conn, limits);
    this._carrier.start();
    this.emit('open');
  }

  _answerPing(data) {
    if (this._pongWanted && this._readyState === OPEN) this._sendAutoPong(data);
    this.emit('ping', data);
  }

  _sendAutoPong(data) {
    const flags = this._isServer ? SEND.AUTO : SEND.AUTO | SEND.MASK;
    outgoing.sendControl(this, native.pong, flags, data);
  }

  /** Calls back when the closing handshake is over and what was sent is written. */
  _whenShut(callback) {
    if (this._closeFrameReceived && this._closeFrameSent)
      outgoing.sendRaw(this, [EMPTY_BUFFER], callback);
    else (this._shutCallbacks ??= []).push(callback);
  }

  // ---- the native side's calls; see lib/events.js ----

  /** A native connection is open: `conn` is its id; `agreed` is what both ends agreed on. */
  _open(conn, peer, agreed, options) {
    this._peer = peer;
    this._protocol = agreed.protocol ?? '';
    this._agree(agreed.extensions, options);
    this._begin(conn, options);
  }

  /** permessage-deflate, or nothing, is agreed on. */
  _agree(extensions, options) {
    resetExtensions(this);
    this._deflate = agreement(extensions, options.perMessageDeflate);
  }

  _begin(conn, options) {
    this._conn = conn;
    this._options = options;
    this._allowSynchronousEvents = options.allowSynchronousEvents !== false;
    if (!this._allowSynchronousEvents) this._held = new HeldEvents(this);
    bufferedCounter.attach(this, conn);
    events.add(conn, this);
    this._readyState = OPEN;
  }

  /** Bytes read (2) or written (3); see src/driver/counters.rs. */
  _transferred(word) {
    return this._counters === null ? 0 : this._counters[this._counterIndex + word];
  }

  /** Bytes that are given to the native side and not written. */
  _unsent() {
    if (this._counters === null) return 0;
    // in this order, see src/driver/counters.rs
    const at = this._counterIndex;
    const unapplied = this._queuedBytes - this._counters[at];
    const unwritten = this._counters[at + 1];
    const relayed = this._carrier === null ? 0 : this._carrier.unreported(this._counters[at + 3]);
    return unapplied + unwritten - relayed;
  }

  _message(data, isBinary) {
    if (this._fragmentEnds !== null) {
      data = new delivery.Fragmented(data, this._fragmentEnds);
      this._fragmentEnds = null;
    }
    if (this._held !== null) this._held.push(delivery.emitMessage, data, isBinary);
    else delivery.emitMessage(this, data, isBinary);
  }

  /** `pongWanted`: the I/O thread has left the automatic pong to us. */
  _ping(data, pongWanted) {
    this._carrier?.pinged();
    if (this._held !== null) this._held.push(delivery.pinged, data, pongWanted);
    else delivery.pinged(this, data, pongWanted);
  }

  _pong(data) {
    if (this._held !== null) this._held.push(delivery.emitPong, data);
    else delivery.emitPong(this, data);
  }

  _closeFrame(code, reason) {
    if (this._held !== null) this._held.push(delivery.concluded, code, reason);
    else delivery.concluded(this, code, reason);
  }

  /** `count` more sends with a callback are written. */
  _written(count) {
    if (this._callbacks !== null) outgoing.callBack(this._callbacks.splice(0, count));
  }

  /** The peer has ended its half. */
  _ended() {
    if (this._held !== null) this._held.push(delivery.peerEnded);
    else delivery.peerEnded(this);
  }

  /** Where the fragments of the next message end, as u32 in memory. */
  _fragments(bytes) {
    const copy = new Uint8Array(bytes);
    this._fragmentEnds = new Uint32Array(copy.buffer);
  }

  /** The connection is gone; `errno` says why, 0 = nothing went wrong. */
  _closed(errno) {
    this._carrier?._beforeClosed();
    this._conn = -1;
    // the id, and with it the counters, may be another connection's soon
    this._counters = null;
    const error =
      this._carrier?.error ?? (errno === 0 ? destroyedError() : systemError('read', { errno }));
    try {
      if (this._callbacks !== null) outgoing.callBack(this._callbacks.splice(0), error);
    } finally {
      this._gone(errno);
    }
  }

  /** Everything but the callbacks hears of the end. */
  _gone(errno) {
    const carrier = this._carrier;
    if (carrier === null) {
      this._over();
      return;
    }
    carrier.socket[kWebSocket] = undefined;
    carrier._connectionClosed(errno, () => this._context.runInAsyncScope(this._over, this));
  }

  /** Nothing more will come. */
  _over() {
    if (this._held !== null) {
      // what was received before the end is delivered before the end
      this._paused = false;
      this._stopped = false;
      this._held.push(delivery.ended);
      if (this._allowSynchronousEvents) this._held.deliver();
    } else {
      delivery.ended(this);
    }
  }

  _notice(event) {
    if (event.kind === 'rawData') {
      this._carrier.socket.emit('data', event.data);
    } else if (event.kind === 'failed') {
      if (this._held !== null) this._held.push(delivery.failed, event.error);
      else delivery.failed(this, event.error);
    } else {
      client.notice(this, event);
    }
  }
}

readyStates.forEach((name, value) => {
  const descriptor = { enumerable: true, value };
  Object.defineProperty(WebSocket, name, descriptor);
  Object.defineProperty(WebSocket.prototype, name, descriptor);
});

for (const name of [
  'binaryType',
  'bufferedAmount',
  'extensions',
  'isPaused',
  'protocol',
  'readyState',
  'url'
]) {
  Object.defineProperty(WebSocket.prototype, name, { enumerable: true });
}

defineAttributes(WebSocket.prototype);
WebSocket.prototype.addEventListener = EventTarget.addEventListener;
WebSocket.prototype.removeEventListener = EventTarget.removeEventListener;

module.exports = WebSocket;

'use strict';

const EventEmitter = require('events');

const { EXTENSION_NAME, SEND } = require('./constants');
const delivery = require('./delivery');
const outgoing = require('./outgoing');
const native = require('./native');
const PerMessageDeflate = require('./permessage-deflate');
const Sender = require('./sender');

/**
 * What an application finds at `ws._receiver`: what comes in on an I/O thread passes through its
 * events, so that whoever takes listeners away or adds some has the effect that it has with ws.
 */
class ConnectionReceiver extends EventEmitter {
  #ws;
  #options;

  constructor(ws) {
    super();
    this.#ws = ws;
    this.#options = {
      maxPayload: ws._options.maxPayload | 0,
      skipUTF8Validation: Boolean(ws._options.skipUTF8Validation)
    };
    // so that the pong, which ws sends in a listener of this, can be taken away
    if (ws._conn !== -1) native.answerPings(ws._conn);
    this.on('message', (data, isBinary) => ws.emit('message', data, isBinary));
    this.on('ping', (data) => ws._answerPing(data));
    this.on('pong', (data) => ws.emit('pong', data));
    this.on('conclude', (code, reason) => delivery.conclude(ws, code, reason));
    this.on('error', (error) => delivery.fail(ws, error));
  }

  get _isServer() {
    return this.#ws._isServer;
  }

  get _binaryType() {
    return this.#ws._binaryType;
  }

  get _extensions() {
    return this.#ws._extensions;
  }

  get _allowSynchronousEvents() {
    return this.#ws._allowSynchronousEvents;
  }

  /** Most bytes of a message; 0 = off. May be changed at any time, and holds for what comes next. */
  get _maxPayload() {
    return this.#options.maxPayload;
  }

  set _maxPayload(bytes) {
    this.#options.maxPayload = bytes | 0;
    this.#update();
  }

  get _skipUTF8Validation() {
    return this.#options.skipUTF8Validation;
  }

  set _skipUTF8Validation(skip) {
    this.#options.skipUTF8Validation = Boolean(skip);
    this.#update();
  }

  #update() {
    const { maxPayload, skipUTF8Validation } = this.#options;
    if (this.#ws._conn !== -1) native.setLimits(this.#ws._conn, maxPayload, skipUTF8Validation);
  }
}

/** What an application finds at `ws._sender`: its frames go out in order with those of `ws`. */
class ConnectionSender extends Sender {
  #ws;

  constructor(ws) {
    super(ws._socket, undefined, ws._generateMask?.make);
    this.#ws = ws;
  }

  /** Compressed as the connection's messages are: what a frame may refer to is known there only. */
  send(data, options, cb) {
    let flags = options.binary ? SEND.BINARY : 0;
    if (options.fin) flags |= SEND.FIN;
    if (options.mask) flags |= SEND.MASK;
    if (options.compress) flags |= SEND.COMPRESS;
    outgoing.send(this.#ws, data, flags, cb);
  }

  sendFrame(list, cb) {
    outgoing.sendRaw(this.#ws, list, cb);
  }
}

/** For each WebSocket that was asked: its extensions by name. */
const extensions = new WeakMap();

function extensionsOf(ws) {
  let own = extensions.get(ws);
  if (own !== undefined) return own;
  own = {};
  if (ws._deflate !== null) {
    const { header, options } = ws._deflate;
    const deflate = PerMessageDeflate.of({ ...options, isServer: ws._isServer }, header);
    own[EXTENSION_NAME] = deflate;
  }
  extensions.set(ws, own);
  return own;
}

function setExtensions(ws, own) {
  extensions.set(ws, own);
}

/** A handshake says what they are. */
function resetExtensions(ws) {
  extensions.delete(ws);
}

/**
 * Takes up the extensions that the application has set before there was a connection: with a
 * PerMessageDeflate in them it says what was agreed on in a handshake of its own, over HTTP/2 for
 * instance.
 *
 * @param {import('./websocket')} ws
 * @param {object} limits those of the connection to be
 */
function takeUpExtensions(ws, limits) {
  const own = extensions.get(ws);
  if (own === undefined) return;
  const deflate = own[EXTENSION_NAME];
  const isAgreed = deflate instanceof PerMessageDeflate && deflate.params !== null;
  ws._deflate = isAgreed ? deflate._agreement : null;
  if (!isAgreed) return;
  // 0 is none
  const [a, b] = [limits.maxPayload | 0, deflate._maxPayload];
  limits.maxPayload = a === 0 || b === 0 ? a + b : Math.min(a, b);
}

module.exports = {
  ConnectionReceiver,
  ConnectionSender,
  extensionsOf,
  resetExtensions,
  setExtensions,
  takeUpExtensions
};

'use strict';

// What a WebSocket does with what its peer has sent, when its turn has come: at once, or when it has
// been held (lib/held-events.js).

const { Buffer } = require('buffer');

const { EMPTY_BUFFER, kStatusCode } = require('./constants');
const { convert } = require('./binary-type');
const { protocolError } = require('./errors');
const native = require('./native');

/** A message with the ends of its fragments, for `binaryType` 'fragments'. */
class Fragmented extends Uint8Array {
  constructor(data, ends) {
    super(data.buffer, data.byteOffset, data.byteLength);
    this.data = data;
    this.ends = ends;
  }
}

function emitMessage(ws, data, isBinary) {
  let ends = null;
  if (data instanceof Fragmented) ({ data, ends } = data);
  const converted = isBinary ? convert(data, ws._binaryType, ends) : data;
  if (ws._receiverView !== null) ws._receiverView.emit('message', converted, isBinary);
  else ws.emit('message', converted, isBinary);
}

function pinged(ws, data, pongWanted) {
  ws._pongWanted = pongWanted;
  if (ws._receiverView !== null) ws._receiverView.emit('ping', data);
  else ws._answerPing(data);
}

function emitPong(ws, data) {
  if (ws._receiverView !== null) ws._receiverView.emit('pong', data);
  else ws.emit('pong', data);
}

function concluded(ws, code, reason) {
  if (ws._errorEmitted) return;
  const status = code === 0 ? 1005 : code;
  // a copy: the view would keep the whole piece
  const text = reason.length === 0 ? EMPTY_BUFFER : Buffer.from(reason);
  if (ws._receiverView !== null) ws._receiverView.emit('conclude', status, text);
  else conclude(ws, status, text);
}

/** The peer's close frame is answered, after everything that was sent so far. */
function conclude(ws, code, reason) {
  ws._closeFrameReceived = true;
  ws._closeMessage = reason;
  ws._closeCode = code;
  if (code === 1005) ws.close();
  else ws.close(code, reason);
  const waiting = ws._shutCallbacks;
  if (waiting === null) return;
  ws._shutCallbacks = null;
  for (const callback of waiting) ws._whenShut(callback);
}

/** The peer is told that it broke the protocol, and the application is. */
function fail(ws, error) {
  ws.close(error[kStatusCode]);
  if (ws._errorEmitted) return;
  ws._errorEmitted = true;
  ws.emit('error', error);
}

/** The peer broke the protocol. */
function failed(ws, parts) {
  const error = protocolError(parts);
  error[kStatusCode] = parts.closeCode;
  if (ws._receiverView !== null) ws._receiverView.emit('error', error);
  else fail(ws, error);
}

/** Without a close frame that is the end: 1006. */
function peerEnded(ws) {
  if (ws._conn === -1) return;
  ws._readyState = 2;
  native.end(ws._conn);
}

/** Everything from before the end is delivered. */
function ended(ws) {
  ws._held = null;
  ws._counters = null;
  if (ws._server !== null) ws._server._forget(ws, ws._peer !== null);
  ws._readyState = 3;
  ws.emit('close', ws._closeCode, ws._closeMessage);
}

module.exports = {
  Fragmented,
  conclude,
  fail,
  concluded,
  emitMessage,
  emitPong,
  ended,
  failed,
  peerEnded,
  pinged
};

'use strict';

// What a WebSocket sends: frames and callbacks on their way to the native side.

const { Buffer } = require('buffer');

const { EMPTY_BUFFER, FastBuffer, SEND } = require('./constants');
const { destroyedError } = require('./errors');
const { isBlob, toBuffer } = require('./validation');
const asyncContext = require('./async-context');
const native = require('./native');

const readyStates = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'];
const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3];

/** Sends a message, behind Blobs that are being read. */
function send(ws, data, flags, cb) {
  if (ws._deferred === null && !isBlob(data)) sendNow(ws, data, flags, cb);
  else defer(ws, data, (bytes) => sendNow(ws, bytes, flags, cb), cb);
}

function sendNow(ws, data, flags, cb) {
  const conn = ws._conn;
  if (conn === -1) {
    // gone, but its last events are held: 'close' is yet to come
    sendAfterClose(ws, data, cb);
    return;
  }
  if (ws._carrier !== null && ws._carrier.socket.writableEnded) {
    failAfterEnd(ws, cb);
    return;
  }
  // first, for it may throw
  const bytes = typeof data === 'string' ? null : toBuffer(data);
  flags = withKey(ws, flags);
  const key = maskKey(ws, flags);
  if (cb) flags = expectWritten(ws, flags, asyncContext.bind(cb));
  if (ws._carrier !== null && ws._unsent() >= HIGH_WATER_MARK) expectDrain(ws);
  let length;
  if (bytes === null) {
    length = native.sendText(conn, flags, data, key);
  } else {
    length = bytes.length;
    native.sendData(conn, flags, bytes, key);
  }
  ws._queuedBytes += frameLength(length, flags);
}

/** The application has ended the socket, and sends on. */
function failAfterEnd(ws, cb) {
  const error = new Error('write after end');
  error.code = 'ERR_STREAM_WRITE_AFTER_END';
  if (cb) process.nextTick(cb, error);
  ws._readyState = CLOSING;
  ws._carrier.terminate();
}

/** With more than this unsent a raw write waits until it is written. */
const WRITE_MAX = 64 * 1024;

/** As Node's sockets: with fewer bytes unsent nobody waits for 'drain'. */
const HIGH_WATER_MARK = 16 * 1024;

/** Emits 'drain' on the socket when nothing is unsent any more, if that has a listener. */
function expectDrain(ws) {
  const { socket } = ws._carrier;
  if (ws._drainExpected || socket.listenerCount('drain') === 0) return;
  // its own writable side does it
  if (!ws._carrier.bypassesStream) return;
  ws._drainExpected = true;
  process.nextTick(sendRaw, ws, [EMPTY_BUFFER], function written(err) {
    ws._drainExpected = false;
    if (err) return;
    if (ws._unsent() === 0) socket.emit('drain');
    else expectDrain(ws);
  });
}

/** Bytes outside of any frame of ours, in order with these. */
function sendRaw(ws, list, cb) {
  if (ws._conn === -1) {
    if (cb) process.nextTick(cb, destroyedError());
    return;
  }
  for (let i = 0; i < list.length; i++) {
    const bytes = toBuffer(list[i]);
    const isLast = i === list.length - 1;
    native.raw(ws._conn, isLast && cb ? expectWritten(ws, 0, cb) : 0, bytes);
    ws._queuedBytes += bytes.length;
  }
}

/**
 * `_write` of a socket whose bytes do not pass through its stream: they are queued at once, so that
 * nothing that is sent later overtakes them. The stream holds back only when much is unsent.
 */
function writeRaw(ws, bytes, callback) {
  if (ws._conn !== -1 && ws._unsent() < WRITE_MAX) {
    sendRaw(ws, [bytes]);
    callback();
  } else {
    sendRaw(ws, [bytes], callback);
  }
}

/** The flags of a frame, with the bit that says that the application generates its masking key. */
function withKey(ws, flags) {
  return ws._generateMask !== null && (flags & SEND.MASK) !== 0 ? flags | SEND.KEY : flags;
}

/** Has the application generate the masking keys: `generateMask(bytes)`. */
function setGenerateMask(ws, generateMask) {
  ws._generateMask = { make: generateMask, bytes: Buffer.alloc(4) };
}

/** The masking key that the application generates, as a number; 0 without the bit. */
function maskKey(ws, flags) {
  if ((flags & SEND.KEY) === 0) return 0;
  const { make, bytes } = ws._generateMask;
  make(bytes);
  return bytes.readUInt32BE(0);
}

/** Has `cb` called when what is queued next is written; returns the flags with the request. */
function expectWritten(ws, flags, cb) {
  if (ws._callbacks === null) ws._callbacks = [cb];
  else ws._callbacks.push(cb);
  ws._carrier?.report();
  native.setAckTarget(ws);
  return flags | SEND.ACK;
}

/** RFC 6455 section 5.2. */
function frameLength(length, flags) {
  const header = length < 126 ? 2 : length < 65536 ? 4 : 10;
  return length + ((flags & SEND.MASK) !== 0 ? header + 4 : header);
}

/** Runs `send` when all Blobs before it, and `data` if it is one, have been read. */
function defer(ws, data, send, cb) {
  // now, as ws does, for it may throw
  if (typeof data !== 'string' && !isBlob(data)) data = toBuffer(data);
  const size = isBlob(data) ? data.size : Buffer.byteLength(data);
  ws._lateBytes += size;
  const queue = (ws._deferred ??= []);
  const run = async () => {
    let bytes = data;
    if (isBlob(data)) {
      try {
        bytes = new FastBuffer(await data.arrayBuffer());
      } catch (err) {
        process.nextTick(blobFailed, ws, err, cb);
        return;
      } finally {
        ws._lateBytes -= size;
      }
    } else {
      ws._lateBytes -= size;
    }
    if (ws._conn === -1) {
      if (cb) process.nextTick(cb, destroyedError());
      return;
    }
    send(bytes);
  };
  queue.push(run);
  if (queue.length === 1) drainDeferred(ws, queue);
}

async function drainDeferred(ws, queue) {
  while (queue.length > 0) {
    try {
      await queue[0]();
    } catch (err) {
      process.nextTick(rethrow, err);
    }
    queue.shift();
  }
  ws._deferred = null;
}

function rethrow(err) {
  throw err;
}

function blobFailed(ws, err, cb) {
  if (cb) cb(err);
  if (ws._readyState !== CLOSED) ws.terminate();
  if (ws._errorEmitted) return;
  ws._errorEmitted = true;
  ws.emit('error', err);
}

/** Calls callbacks of sends; one that throws does not keep the others from being called. */
function callBack(callbacks, error) {
  for (let i = 0; i < callbacks.length; i++) {
    try {
      if (error === undefined) callbacks[i]();
      else callbacks[i](error);
    } catch (err) {
      process.nextTick(callBack, callbacks.slice(i + 1), error);
      throw err;
    }
  }
}

function control(ws, send, data, mask, cb) {
  if (ws._readyState === CONNECTING) {
    throw new Error('WebSocket is not open: readyState 0 (CONNECTING)');
  }
  if (typeof data === 'function') {
    cb = data;
    data = mask = undefined;
  } else if (typeof mask === 'function') {
    cb = mask;
    mask = undefined;
  }
  if (typeof data === 'number') data = data.toString();
  if (ws._readyState !== OPEN) {
    sendAfterClose(ws, data, cb);
    return;
  }
  if (mask === undefined) mask = !ws._isServer;
  const flags = mask ? SEND.MASK : 0;
  if (isBlob(data)) {
    checkControl(data.size);
    defer(ws, data, (bytes) => sendControl(ws, send, flags, bytes, cb), cb);
    return;
  }
  const bytes = toBuffer(data || EMPTY_BUFFER);
  checkControl(bytes.length);
  if (ws._deferred === null) sendControl(ws, send, flags, bytes, cb);
  else ws._deferred.push(() => sendControl(ws, send, flags, bytes, cb));
}

function checkControl(size) {
  if (size > 125) throw new RangeError('The data size must not be greater than 125 bytes');
}

function sendControl(ws, send, flags, bytes, cb) {
  if (ws._conn === -1) {
    if (cb) process.nextTick(cb, destroyedError());
    return;
  }
  if (ws._carrier !== null && ws._carrier.socket.writableEnded) {
    failAfterEnd(ws, cb);
    return;
  }
  flags = withKey(ws, flags);
  const key = maskKey(ws, flags);
  if (cb) flags = expectWritten(ws, flags, asyncContext.bind(cb));
  send(ws._conn, flags, bytes, key);
  ws._queuedBytes += frameLength(bytes.length, flags);
}

/** Too late to be sent: counted, and reported through the callback. */
function sendAfterClose(ws, data, cb) {
  if (data) {
    ws._lateBytes += isBlob(data) ? data.size : toBuffer(data).length;
  }
  if (cb) {
    const state = ws._readyState;
    const err = new Error(`WebSocket is not open: readyState ${state} (${readyStates[state]})`);
    process.nextTick(cb, err);
  }
}

function closeNow(ws, { code, reason }) {
  ws._closeFrameSent = true;
  if (ws._conn === -1) return;
  let flags = ws._isServer ? 0 : SEND.MASK;
  flags = withKey(ws, flags);
  const key = maskKey(ws, flags);
  native.close(ws._conn, flags, code, reason, key);
  ws._queuedBytes += frameLength(code === 0 ? 0 : 2 + reason.length, flags);
}

module.exports = {
  callBack,
  closeNow,
  control,
  defer,
  readyStates,
  sendAfterClose,
  sendControl,
  send,
  sendRaw,
  setGenerateMask,
  writeRaw
};

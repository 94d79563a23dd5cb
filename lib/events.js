'use strict';

const { Buffer } = require('buffer');
const { markAsUntransferable } = require('worker_threads');

const { EVENT, EMPTY_BUFFER, FastBuffer } = require('./constants');
const native = require('./native');

/** As in src/node/state.rs. */
const MAX_RECORDS = 1024;
const WORDS = 4;

const INDEX_MASK = 0xffffff;

/** The bits of a kind word that number a connection's reads. */
const READ_MASK = 0xff00;

const records = new Int32Array(MAX_RECORDS * WORDS);

/**
 * A payload that is not small makes itself felt in V8's young generation, which knows nothing of
 * the memory outside of its heap and would leave much more of it to be collected late: for each
 * PRESSURE_STEP bytes an array of PRESSURE_SLOTS x 8 bytes becomes garbage. Large payloads count
 * less, for a collection costs more than their memory.
 */
const PRESSURE_STEP = 16 * 1024;
const PRESSURE_SLOTS = 512;
const PRESSURE_MIN = 2 * 1024;
const LARGE_SHARE = 1 / 4;

/** What each connection's events go to, by the index in its id. */
const targets = [];

/** The connections that do not keep the process alive. */
const unrefed = new Set();

/** Servers, by listener id. */
const listeners = new Map();

// Where the delivery stands. Kept outside of `deliver`, so that it goes on behind a listener that
// has thrown.
let position = 0;
let count = 0;
let piece = EMPTY_BUFFER;
let pieceMemory = EMPTY_BUFFER.buffer;
let isShared = false;
let opened = false;
let receiver = null;
/** Bytes that have not been made felt yet, and what does it. */
let unfelt = 0;
const ballast = { garbage: null };
/** Counts what the application sees as turns of the event loop. */
let turn = 0;

native.setOnBell(deliver);
native.setOnExit(deliverOutput);

/**
 * Delivers everything that the I/O threads have published. Called from native code, again and
 * again as long as a listener throws.
 */
function deliver() {
  turn++;
  native.setDraining(true);
  for (;;) {
    if (position === count) {
      if (native.isFlushPlanned()) native.flush();
      position = 0;
      count = native.drain(records);
      if (count === 0) break;
    }
    if (!deliverRecords()) break;
  }
  native.setDraining(false);
  if (native.isFlushPlanned()) native.flush();
}

/** At the end of the process: no listener hears of anything any more. */
function deliverOutput() {
  while ((count = native.drain(records)) > 0) {
    for (position = 0; position < count; position++) {
      const at = position * WORDS;
      const kind = records[at] & 0xff;
      if (kind === EVENT.PIECE) {
        piece = Buffer.allocUnsafeSlow(records[at + 2]);
        pieceMemory = piece.buffer;
        native.fill(piece);
      } else if (kind === EVENT.OUTPUT) {
        const target = targets[records[at + 1] & INDEX_MASK];
        target?._carrier._outputAtExit(view(records[at + 2], records[at + 3]));
      }
    }
  }
}

/** From a microtask: a tick comes after all of them. */
function resumeInTick() {
  process.nextTick(resume);
}

/** Goes on with the delivery in a turn of its own. */
function resume() {
  try {
    deliver();
  } catch (err) {
    setImmediate(resume);
    throw err;
  }
}

/** False when the rest has to wait for another turn of the event loop. */
function deliverRecords() {
  while (position < count) {
    const at = position * WORDS;
    const word = records[at];
    const kind = word & 0xff;

    if (kind === EVENT.PIECE) {
      piece = Buffer.allocUnsafeSlow(records[at + 2]);
      pieceMemory = piece.buffer;
      isShared = false;
      native.fill(piece);
      position++;
      continue;
    }
    if (kind === EVENT.NOTICE) {
      position++;
      notice(records[at + 1], native.takeNotice(records[at + 2]));
      continue;
    }
    if (kind === EVENT.RELEASED) {
      position++;
      native.releaseLent(records[at + 2]);
      continue;
    }
    const target = targets[records[at + 1] & INDEX_MASK];
    if (target === undefined) {
      position++;
      continue;
    }
    if (kind >= EVENT.OUTPUT) {
      position++;
      relay(target, kind, records[at + 2], records[at + 3]);
      continue;
    }
    // What came in one read is one turn, and promises settle in between: who awaits 'open', or one
    // message after the other, gets to listen again in time, as with a socket of Node's.
    const read = word & READ_MASK;
    if (opened || (target._lastTurn === turn && target._lastRead !== read)) {
      opened = false;
      queueMicrotask(resumeInTick);
      return false;
    }
    target._lastTurn = turn;
    target._lastRead = read;
    position++;
    receiver = target;
    target._context.runInAsyncScope(dispatch);
  }
  return true;
}

/** What a peer has sent, and what follows from it: the record before `position`, for `receiver`. */
function dispatch() {
  const target = receiver;
  const at = (position - 1) * WORDS;
  const word = records[at];
  const a = records[at + 2];
  const b = records[at + 3];
  switch (word & 0xff) {
    case EVENT.TEXT:
      target._message(view(a, b), false);
      break;
    case EVENT.BINARY:
      target._message(view(a, b), true);
      break;
    case EVENT.LARGE_TEXT:
      target._message(large(a), false);
      break;
    case EVENT.LARGE_BINARY:
      target._message(large(a), true);
      break;
    case EVENT.PING:
      target._ping(view(a, b), word >>> 16 !== 0);
      break;
    case EVENT.PONG:
      target._pong(view(a, b));
      break;
    case EVENT.CLOSE:
      target._closeFrame(word >>> 16, view(a, b));
      break;
    case EVENT.WRITTEN:
      target._written(a);
      break;
    case EVENT.CLOSED:
      closed(records[at + 1], target, a);
      break;
    case EVENT.END:
      target._ended();
      break;
  }
}

/**
 * The bytes of a stream that JavaScript moves (lib/stream-carrier.js), and what belongs to the next
 * message.
 */
function relay(target, kind, a, b) {
  switch (kind) {
    case EVENT.OUTPUT:
      target._carrier._output(view(a, b));
      break;
    case EVENT.OUTPUT_END:
      target._carrier._outputEnd();
      break;
    case EVENT.CONSUMED:
      target._carrier._consumed(a);
      break;
    case EVENT.FRAGMENTS:
      target._fragments(view(a, b));
      break;
  }
}

/** A payload in the current piece. */
function view(offset, length) {
  if (length > PRESSURE_MIN) press(length);
  if (length === piece.length) return length === 0 ? EMPTY_BUFFER : piece;
  if (length === 0) return EMPTY_BUFFER;
  if (!isShared) {
    // as Node's own pool: who gave it away would take the other messages along
    markAsUntransferable(pieceMemory);
    isShared = true;
  }
  return new FastBuffer(pieceMemory, offset, length);
}

/** `errno` is the operating system's error number, 0 without one. */
function large(index) {
  const payload = native.takeLarge(index);
  press(payload.length * LARGE_SHARE);
  return payload;
}

/** `bytes` of memory outside of the heap have been handed out; see PRESSURE_STEP. */
function press(bytes) {
  unfelt += bytes;
  for (; unfelt >= PRESSURE_STEP; unfelt -= PRESSURE_STEP) {
    ballast.garbage = new Array(PRESSURE_SLOTS);
  }
}

function closed(conn, target, errno) {
  remove(conn);
  target._closed(errno);
}

function notice(conn, event) {
  const target = noticeTarget(conn, event);
  if (target === undefined) return;
  target._context.runInAsyncScope(target._notice, target, event, conn);
}

function noticeTarget(conn, event) {
  switch (event.kind) {
    case 'connection':
      opened = true;
    // falls through
    case 'upgrade':
    case 'clientError':
    case 'request':
    case 'listenerClosed':
    case 'listenerFailed':
    case 'serverName':
    case 'tlsClientError':
      return listeners.get(event.listener);
    case 'response':
      opened = true;
    // falls through
    default:
      return targets[conn & INDEX_MASK];
  }
}

/** Events of connection `conn` go to `target`; the process stays alive for it. */
function add(conn, target) {
  const index = conn & INDEX_MASK;
  if (targets[index] === undefined) native.hold();
  targets[index] = target;
}

/** `conn` has had its last event. */
function remove(conn) {
  const index = conn & INDEX_MASK;
  if (!unrefed.delete(conn)) native.unhold();
  targets[index] = undefined;
  native.release(conn);
}

/** `conn`, -1 without one, keeps the process alive again. */
function ref(conn) {
  if (unrefed.delete(conn)) native.hold();
}

/** `conn`, -1 without one, no longer keeps the process alive. */
function unref(conn) {
  if (targets[conn & INDEX_MASK] === undefined || unrefed.has(conn)) return;
  unrefed.add(conn);
  native.unhold();
}

module.exports = { add, listeners, ref, unref };

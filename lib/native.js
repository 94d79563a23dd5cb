'use strict';

const { SEND } = require('./constants');

const binding = load();

/** Payloads from this size on are lent to the I/O thread instead of being copied. */
const LENT_MIN = 64 * 1024;

let onBell = null;
/** Delivers what is to be written to relayed streams, when the process is about to end. */
let onExit = null;
const environment = new binding.NativeEnvironment(() => onBell());
const functions = environment.functions();

/** Memory that is lent, by id. */
const lent = [];
const freeLent = [];

let live = 0;
let relays = 0;
let draining = false;
let flushPlanned = false;
let lateFlushPlanned = false;
/** The process is about to end: no tick and no turn comes after this one. */
let exiting = false;
let ackTarget = null;

function load() {
  try {
    return require('../native.js');
  } catch (err) {
    const hint =
      err.code === 'MODULE_NOT_FOUND' ? ' Build it with `npm run build` (needs Rust).' : '';
    throw new Error(`hawser: the native addon could not be loaded.${hint}`, { cause: err });
  }
}

/** Sends what has been collected to the I/O threads. */
function flush() {
  flushPlanned = false;
  const acked = functions.flush();
  if (acked > 0) process.nextTick(written, ackTarget, acked);
}

function written(target, count) {
  target._written(count);
}

/** Makes sure that `flush` is called in this tick, or at the end of the batch being delivered. */
function planFlush() {
  if (flushPlanned) return;
  flushPlanned = true;
  if (!draining) process.nextTick(flush);
}

/**
 * Makes sure that `flush` is called when the event loop has polled all sockets: what each of them
 * has received goes to the I/O threads together.
 */
function planLateFlush() {
  if (flushPlanned || lateFlushPlanned) return;
  lateFlushPlanned = true;
  setImmediate(lateFlush);
}

function lateFlush() {
  lateFlushPlanned = false;
  if (!flushPlanned) flush();
}

/** Marks the delivery of a batch, during which nothing is flushed by tick. */
function setDraining(on) {
  draining = on;
}

/** Whether there is something to flush. */
function isFlushPlanned() {
  return flushPlanned;
}

process.on('exit', () => {
  exiting = true;
  flushAtExit();
});

/** What listeners of 'exit' send goes out at once, as it does through Node's sockets. */
function flushAtExit() {
  functions.flush();
  environment.settle();
  if (relays === 0) return;
  environment.answerBell();
  onExit();
}

/**
 * Relayed streams keep the process alive by themselves, or do not. What is on its way between them
 * and the I/O threads is still delivered.
 */
process.on('beforeExit', () => {
  if (relays > 0 && !environment.isQuiet()) setImmediate(() => {});
});

/** A relayed stream more, or less. */
function countRelay(change) {
  relays += change;
}

/** A string; returns its length in bytes. */
function sendText(conn, flags, data, key) {
  planFlush();
  const length = functions.sendText(conn, flags, data, key);
  if (exiting) flushAtExit();
  return length;
}

/** Bytes; large ones are lent: see LENT_MIN. */
function sendData(conn, flags, data, key) {
  planFlush();
  if (mayLend(flags, data)) {
    const id = freeLent.length > 0 ? freeLent.pop() : lent.length;
    lent[id] = data;
    functions.sendLent(conn, flags, data, id);
  } else {
    functions.sendData(conn, flags, data, key);
  }
  if (exiting) flushAtExit();
}

/** What is masked is copied anyway, and memory that can shrink may be gone when it is read. */
function mayLend(flags, data) {
  return data.length >= LENT_MIN && (flags & SEND.MASK) === 0 && !data.buffer.resizable;
}

/** Lent memory `id` is no longer read. */
function releaseLent(id) {
  lent[id] = undefined;
  freeLent.push(id);
}

/** `target._written(n)` is called for sends with the ACK bit that complete at once. */
function setAckTarget(target) {
  ackTarget = target;
}

/** Counts what keeps the process alive: listening servers and connections. */
function hold() {
  if (live++ === 0) environment.hold(true);
}

function unhold() {
  if (--live === 0) environment.hold(false);
}

/** The rare calls, each followed by a flush. */
function command(name, plan = planFlush) {
  return (...args) => {
    plan();
    const result = environment[name](...args);
    if (exiting) flushAtExit();
    return result;
  };
}

/**
 * Sets the number of I/O threads of the process, before its first socket.
 *
 * @param {{ threads?: number }} options `threads`: 1 to 128; default: cores - 1, at least 1, at
 *   most 4, or `HAWSER_THREADS`
 * @throws {Error} when the threads run already
 */
function configureRuntime(options) {
  const threads = options?.threads;
  if (threads === undefined) return;
  if (!Number.isInteger(threads) || threads < 1 || threads > 128) {
    throw new RangeError('configureRuntime: threads must be an integer between 1 and 128');
  }
  binding.configureRuntime(threads);
}

module.exports = {
  NativeDeflate: binding.NativeDeflate,
  NativeClientContext: binding.NativeClientContext,
  NativeReceiver: binding.NativeReceiver,
  NativeRoots: binding.NativeRoots,
  NativeServerContext: binding.NativeServerContext,
  NativeServerContexts: binding.NativeServerContexts,
  acceptDeflateOffer: binding.acceptDeflateOffer,
  checkDeflateAnswer: binding.checkDeflateAnswer,
  deflateOffer: binding.deflateOffer,
  configureRuntime,
  countRelay,
  flush,
  hold,
  isFlushPlanned,
  planFlush,
  releaseLent,
  sendData,
  sendText,
  setAckTarget,
  setDraining,
  setOnBell: (callback) => (onBell = callback),
  setOnExit: (callback) => (onExit = callback),
  unhold,
  isServerName: binding.isServerName,
  ownCertificate: binding.ownCertificate,
  parseExtensions: binding.parseExtensions,
  parseSubprotocols: binding.parseSubprotocols,
  counters: (segment) => environment.counters(segment),
  drain: functions.drain,
  adopt: command('adopt', planLateFlush),
  answerPings: command('answerPings'),
  confirm: command('confirm', planLateFlush),
  ended: command('ended'),
  feed: command('feed', planLateFlush),
  feedEnd: command('feedEnd'),
  relay: command('relay'),
  fill: functions.fill,
  takeLarge: functions.takeLarge,
  takeNotice: (index) => environment.takeNotice(index),
  setContexts: (listener, contexts) => environment.setContexts(listener, contexts),
  setHooks: (listener, hooks) => environment.setHooks(listener, hooks),
  close: command('close'),
  closeListener: command('closeListener'),
  connect: command('connect'),
  end: command('end'),
  listen: command('listen'),
  pause: command('pause'),
  ping: command('ping'),
  pong: command('pong'),
  raw: command('raw'),
  release: command('release'),
  respond: command('respond'),
  setKeepAlive: command('setKeepAlive'),
  setLimits: command('setLimits'),
  setNoDelay: command('setNoDelay'),
  tap: command('tap'),
  terminate: command('terminate'),
  useContext: command('useContext')
};

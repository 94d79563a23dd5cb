'use strict';

const native = require('./native');

/** With more than this held, the connection's socket is not read. */
const MAX_EVENTS = 1024;
const MAX_BYTES = 256 * 1024;

/**
 * Events of a WebSocket that wait: for resume(), or, with `allowSynchronousEvents: false`, for a
 * turn of the event loop of their own. Bounded by what the I/O thread reads before it hears that
 * there is enough.
 */
class HeldEvents {
  #ws;
  #queue = [];
  #head = 0;
  #bytes = 0;
  #planned = false;
  #throttled = false;

  constructor(ws) {
    this.#ws = ws;
  }

  /** Puts an event behind those that wait already: `handler(ws, a, b)`. */
  push(handler, a, b) {
    this.#queue.push(handler, a, b);
    this.#bytes += size(a);
    this.throttle();
    if (!this.#ws._stopped) this.plan();
  }

  /** Has the I/O thread stop or go on reading. */
  throttle() {
    const ws = this.#ws;
    const events = (this.#queue.length - this.#head) / 3;
    const wanted = ws._stopped || events > MAX_EVENTS || this.#bytes > MAX_BYTES;
    // what is held goes first: a resume that is followed by a pause brings no more than it took
    const allowed = this.#throttled ? events > 0 || ws._stopped : wanted;
    if (allowed === this.#throttled || ws._conn === -1) return;
    this.#throttled = allowed;
    native.pause(ws._conn, allowed);
  }

  /** Delivers soon. */
  plan() {
    if (this.#planned) return;
    this.#planned = true;
    if (this.#ws._allowSynchronousEvents) process.nextTick(deliver, this);
    else setImmediate(deliver, this);
  }

  /** Delivers what is held: all of it, or one event and the next one in another turn. */
  deliver() {
    this.#planned = false;
    const ws = this.#ws;
    // pause() has nothing to hold back once the connection is gone
    const isStopped = () => ws._stopped && ws._conn !== -1;
    while (!isStopped() && ws._held === this && this.#head < this.#queue.length) {
      const handler = this.#queue[this.#head];
      const a = this.#queue[this.#head + 1];
      const b = this.#queue[this.#head + 2];
      this.#take(a);
      const more = this.#head < this.#queue.length;
      // planned before the handler runs, so that one that throws holds nothing up
      if (more) this.plan();
      handler(ws, a, b);
      if (!ws._allowSynchronousEvents) return;
    }
    if (ws._held !== this || isStopped()) return;
    this.throttle();
    if (ws._allowSynchronousEvents) ws._held = null;
  }

  #take(payload) {
    this.#bytes -= size(payload);
    this.#head += 3;
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    }
    if (this.#head === 0 || !this.#ws._allowSynchronousEvents) this.throttle();
  }
}

function deliver(held) {
  held.deliver();
}

function size(payload) {
  return payload instanceof Uint8Array ? payload.length : 0;
}

module.exports = HeldEvents;

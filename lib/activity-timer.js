'use strict';

const { performance } = require('perf_hooks');

/** How often the time that has been set is divided: a timeout comes at most that much too late. */
const LOOKS = 8;

/**
 * `socket.setTimeout` for a socket whose bytes Node does not see: emits 'timeout' once nothing has
 * been read or written for so long, and once more after the next pause of that length.
 */
class ActivityTimer {
  #socket;
  #measure;
  #timeout = 0;
  #timer = null;
  #seen = 0;
  #idleSince = 0;
  #fired = false;

  /**
   * @param {import('events').EventEmitter} socket
   * @param {() => number} measure grows with every byte that is read or written
   */
  constructor(socket, measure) {
    this.#socket = socket;
    this.#measure = measure;
  }

  get timeout() {
    return this.#timeout;
  }

  /**
   * @param {number} timeout milliseconds; 0 = never
   * @param {Function} [callback] a listener for the next 'timeout'; with 0 it is removed
   */
  set(timeout, callback) {
    this.stop();
    this.#timeout = timeout;
    if (callback !== undefined) {
      if (timeout === 0) this.#socket.removeListener('timeout', callback);
      else this.#socket.once('timeout', callback);
    }
    if (timeout === 0) return;
    this.#active(performance.now());
    this.#plan(timeout);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  #active(now) {
    this.#seen = this.#measure();
    this.#idleSince = now;
    this.#fired = false;
  }

  #plan(rest) {
    const delay = Math.min(this.#timeout / LOOKS, rest);
    this.#timer = setTimeout(() => this.#look(), Math.max(1, delay));
    this.#timer.unref();
  }

  #look() {
    const now = performance.now();
    if (this.#measure() !== this.#seen) this.#active(now);
    const rest = this.#idleSince + this.#timeout - now;
    const due = rest <= 0 && !this.#fired;
    this.#fired ||= due;
    // planned first: the listener may throw, or set another time
    this.#plan(rest > 0 ? rest : this.#timeout);
    if (due) this.#socket.emit('timeout');
  }
}

module.exports = ActivityTimer;

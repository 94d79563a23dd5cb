'use strict';

const { performance } = require('node:perf_hooks');

const WINDOW_MS = 1000;
// With fewer messages than this, the time per message says more about the timers than about it.
const MIN_MESSAGES = 100;

/** What the server does and what that costs, over the last second. */
class Stats {
  constructor() {
    /** Messages received so far. */
    this.messages = 0;
    this._past = [this._read()];
  }

  sample() {
    const now = this._read();
    while (this._past.length > 1 && now.at - this._past[1].at >= WINDOW_MS) this._past.shift();
    const then = this._past[0];
    this._past.push(now);

    const seconds = (now.at - then.at) / 1000;
    const messages = now.messages - then.messages;
    // The time in which the JS thread was not waiting for events.
    const jsMs = performance.eventLoopUtilization(now.loop, then.loop).active;
    // All threads of the process, the I/O threads included.
    const cpuMs = (now.cpu.user + now.cpu.system - then.cpu.user - then.cpu.system) / 1000;
    const perMessage = (ms) => (messages < MIN_MESSAGES ? null : (ms * 1000) / messages);
    return {
      messagesPerSecond: messages / seconds,
      jsMsPerSecond: jsMs / seconds,
      cpuMsPerSecond: cpuMs / seconds,
      jsUsPerMessage: perMessage(jsMs),
      cpuUsPerMessage: perMessage(cpuMs)
    };
  }

  _read() {
    return {
      at: performance.now(),
      messages: this.messages,
      loop: performance.eventLoopUtilization(),
      cpu: process.cpuUsage()
    };
  }
}

module.exports = { Stats };

'use strict';

const path = require('node:path');
const { fork } = require('node:child_process');

const MAX_RUN_MS = 60_000;
const LIMITS = { clients: [1, 500], size: [1, 16 * 1024], burst: [1, 64] };

/** Runs load.js in a process of its own: simulated clients on this JS thread would disturb it. */
class LoadRunner {
  constructor() {
    /** The echo endpoint, known once the server listens. */
    this.url = null;
    this._child = null;
    this._timer = null;
    this._settings = null;
    this._endsAt = 0;
    this._report = null;
  }

  /** Returns undefined, or the reason why the load was not started. */
  start({ clients, size, burst }) {
    if (this._child) return 'The load is running already.';
    const settings = { clients, size, burst };
    for (const [name, [min, max]] of Object.entries(LIMITS)) {
      const value = settings[name];
      if (!Number.isInteger(value) || value < min || value > max) {
        return `The ${name} must be a whole number from ${min} to ${max}.`;
      }
    }
    const child = fork(path.join(__dirname, 'load.js'));
    child.on('message', (report) => {
      if (child === this._child) this._report = report;
    });
    child.on('error', (err) => console.error(`load: ${err.message}`));
    child.once('exit', () => this._forget(child));
    child.send({ url: this.url, ...settings });
    this._child = child;
    this._settings = settings;
    this._endsAt = Date.now() + MAX_RUN_MS;
    this._timer = setTimeout(() => this.stop(), MAX_RUN_MS);
  }

  /** The child ends when its channel closes; it does so as well when this process dies. */
  stop() {
    const child = this._child;
    if (!child) return;
    this._forget(child);
    if (child.connected) child.disconnect();
  }

  status() {
    if (!this._child) return null;
    const secondsLeft = Math.max(0, Math.round((this._endsAt - Date.now()) / 1000));
    return { ...this._settings, ...this._report, secondsLeft };
  }

  _forget(child) {
    if (child !== this._child) return;
    clearTimeout(this._timer);
    this._child = null;
    this._settings = null;
    this._report = null;
  }
}

module.exports = { LoadRunner };

'use strict';

const { spawn, spawnSync } = require('node:child_process');
const path = require('node:path');
const readline = require('node:readline');
const { setTimeout: sleep } = require('node:timers/promises');

const { ROOT } = require('./implementations');

const REPLY_TIMEOUT = 30_000;

/** A server in a process of its own, with the control channel of servers/control.js. */
class Server {
  /**
   * @param {Object} implementation from `findImplementations`
   * @param {{app?: string, listener?: string, compression?: string, cpu?: number}} [options]
   * @returns {Promise<Server>} once it listens
   */
  static async start(implementation, options = {}) {
    const { app = 'echo', listener = 'port', compression = 'off', cpu } = options;
    const [command, ...args] = pinned(implementation.argv(app, listener, compression), cpu);
    const child = spawn(command, args, { cwd: ROOT, stdio: ['pipe', 'pipe', 'pipe'] });
    const server = new Server(implementation.name, child);
    try {
      const line = await server.nextLine();
      server.port = Number(/^listening (\d+)$/.exec(line)[1]);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    return server;
  }

  constructor(name, child) {
    this.name = name;
    this.child = child;
    this.lines = [];
    this.waiting = [];
    this.errors = '';
    // Writing to a server that has died is reported through its exit.
    child.stdin.on('error', () => {});
    child.stderr.on('data', (data) => {
      this.errors = (this.errors + data).slice(-2000);
    });
    readline.createInterface({ input: child.stdout }).on('line', (line) => {
      const waiter = this.waiting.shift();
      if (waiter) waiter.resolve(line);
      else this.lines.push(line);
    });
    this.exited = new Promise((resolve) => child.on('close', resolve));
    this.exited.then(() => {
      for (const waiter of this.waiting) waiter.reject(this.death());
    });
  }

  get pid() {
    return this.child.pid;
  }

  get hasExited() {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  death() {
    const { exitCode, signalCode } = this.child;
    return new Error(`${this.name} ended with ${signalCode ?? exitCode}: ${this.errors.trim()}`);
  }

  nextLine() {
    if (this.lines.length > 0) return Promise.resolve(this.lines.shift());
    if (this.hasExited) return Promise.reject(this.death());
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`${this.name} did not answer. ${this.errors.trim()}`));
      }, REPLY_TIMEOUT);
      this.waiting.push({
        resolve: (line) => (clearTimeout(timer), resolve(line)),
        reject: (error) => (clearTimeout(timer), reject(error))
      });
    });
  }

  /** Sends a command and resolves to what the server answers. */
  async command(line) {
    this.child.stdin.write(`${line}\n`);
    return JSON.parse(await this.nextLine());
  }

  /** Ends the server; rejects if it had already ended by itself or does not end well. */
  async stop() {
    if (this.hasExited) throw this.death();
    this.child.stdin.end();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 5000);
    await this.exited;
    clearTimeout(timer);
    if (this.child.exitCode !== 0) throw this.death();
  }
}

/**
 * Starts a server, hands it to `use` and ends it.
 *
 * @returns {Promise<*>} what `use` resolves to
 */
async function withServer(implementation, options, use) {
  const server = await Server.start(implementation, options);
  let result;
  try {
    result = await use(server);
  } catch (error) {
    // What went wrong first is what counts.
    if (!server.hasExited) await server.stop().catch(() => {});
    throw error;
  }
  await server.stop();
  return result;
}

/**
 * Builds the load generator.
 *
 * @returns {string} path of the binary
 */
function buildLoadgen() {
  const args = ['build', '--release', '-p', 'loadgen', '--message-format=json-render-diagnostics'];
  const build = spawnSync('cargo', args, {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'inherit']
  });
  if (build.status !== 0) throw new Error('the load generator does not build');
  const artifact = build.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
    .find((message) => message.executable && path.basename(message.executable) === 'loadgen');
  return artifact.executable;
}

/**
 * Runs the load generator against a server.
 *
 * @param {string} binary
 * @param {Server} server
 * @param {Object} options command-line options without the dashes; `true` is a flag
 * @param {Function} [onOpen] called when idle or flooding connections are open
 * @returns {Promise<Object>} its report
 */
async function runLoadgen(binary, server, options, onOpen) {
  const args = ['--json', '--port', server.port, '--server-pid', server.pid];
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === false) continue;
    args.push(`--${name}`);
    if (value !== true) args.push(value);
  }
  const child = spawn(binary, args.map(String), { stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), 180_000);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => (stdout += data));
  child.stderr.on('data', (data) => {
    if (onOpen && !stderr.includes('open') && `${stderr}${data}`.includes('open')) onOpen();
    stderr += data;
  });
  const status = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(signal ?? code));
  });
  clearTimeout(timer);
  if (status !== 0) {
    // If the server's end is the cause, it may not be known yet.
    await Promise.race([server.exited, sleep(200)]);
    const end = server.hasExited ? `; ${server.death().message}` : '';
    throw new Error(`${stderr.trim() || `loadgen ended with ${status}`}${end}`);
  }
  return JSON.parse(stdout);
}

function pinned(argv, cpu) {
  return cpu === undefined ? argv : ['taskset', '-c', String(cpu), ...argv];
}

module.exports = { withServer, buildLoadgen, runLoadgen };

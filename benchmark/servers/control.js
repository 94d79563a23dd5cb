'use strict';

const readline = require('node:readline');

/**
 * Answers the commands that come on stdin, one a line, each with one line of JSON: `gc`,
 * `block MS`, and those of the application. The process ends with its stdin.
 *
 * @param {Object<string, Function>} commands
 */
function control(commands) {
  const all = { gc, block, ...commands };
  const input = readline.createInterface({ input: process.stdin });
  input.on('line', async (line) => {
    const [name, ...args] = line.split(' ');
    const result = await all[name](...args);
    process.stdout.write(`${JSON.stringify({ done: name, ...result })}\n`);
  });
  input.on('close', () => process.exit());
}

/** Collects garbage until finalizers have had their turns. */
async function gc() {
  for (let i = 0; i < 5; i++) {
    if (globalThis.Bun) globalThis.Bun.gc(true);
    else global.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return process.memoryUsage();
}

/** Blocks the JS thread. */
function block(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(ms));
}

module.exports = { control };

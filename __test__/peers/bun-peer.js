'use strict';

// Bun, if it is there: the npm package `bun`, or the path of a binary in the environment variable BUN.

const path = require('node:path');
const { spawn } = require('node:child_process');

const bun = process.env.BUN ?? installed();
const HINT = 'Bun is missing: npm install --no-save bun';

function installed() {
  try {
    return path.join(path.dirname(require.resolve('bun/package.json')), 'bin', 'bun.exe');
  } catch {
    return undefined;
  }
}

/** A process with the script `name` of the folder bun. */
function run(t, name, ...args) {
  const child = spawn(bun, [path.join(__dirname, 'bun', name), ...args], {
    stdio: ['ignore', 'pipe', 'inherit']
  });
  t.after(() => child.kill());
  return child;
}

module.exports = { HINT, bun, run };

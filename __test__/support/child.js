'use strict';

const { spawn } = require('node:child_process');
const path = require('node:path');

const IMPL = path.join(__dirname, 'impl.js');
const CARRIERS = path.join(__dirname, 'carriers.js');

/**
 * A child process that runs `body` with `WebSocket`, `createServer`, `createClient`, `arg` and
 * `say(...)` in scope.
 * `said(word)` waits for a line; `exit` resolves with { code, signal, lines, stderr }.
 */
function child(t, body, arg, env) {
  const source = `
    const WebSocket = require(${JSON.stringify(IMPL)});
    const { createClient, createServer } = require(${JSON.stringify(CARRIERS)});
    const arg = ${JSON.stringify(arg ?? null)};
    const say = (...words) => require('fs').writeSync(1, words.join(' ') + '\\n');
    ${body}
  `;
  const proc = spawn(process.execPath, ['-e', source], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env }
  });
  t.after(() => proc.kill('SIGKILL'));
  const watchers = new Set();
  let stdout = '';
  let stderr = '';
  proc.stdout.on('data', (chunk) => {
    stdout += chunk;
    for (const check of watchers) check();
  });
  proc.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const lines = () => stdout.split('\n').filter(Boolean);
  const exit = new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      proc.kill('SIGKILL');
      reject(new Error(`the child did not exit\n${stdout}\n${stderr}`));
    }, 10000);
    proc.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, lines: lines(), stderr });
      for (const check of watchers) check();
    });
  });
  exit.catch(() => {});
  const said = (word) =>
    new Promise((resolve, reject) => {
      const check = () => {
        const line = lines().find((text) => text.startsWith(word));
        if (line !== undefined) resolve(line);
        else if (proc.exitCode !== null) reject(new Error(`no '${word}'\n${stdout}\n${stderr}`));
      };
      watchers.add(check);
      check();
    });
  return { proc, exit, said };
}

module.exports = { CARRIERS, IMPL, child };

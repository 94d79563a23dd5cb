'use strict';

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const ROOT = path.resolve(__dirname, '../..');
const SERVERS = path.resolve(__dirname, '../servers');
const NAMES = ['hawser', 'ws', 'bun'];

/**
 * How to start each server: `argv(app, listener, compression)` is the command line, `listeners`
 * those of servers/listen.js that it can run, `version` what is measured.
 *
 * @param {string[]} [wanted] names that must be there; without it all that are there
 * @returns {Map<string, {name: string, version: string, listeners: string[], argv: Function}>}
 */
function findImplementations(wanted) {
  const found = new Map();
  for (const name of wanted ?? NAMES) {
    if (!NAMES.includes(name)) throw new Error(`no server named ${name}: ${NAMES.join(', ')}`);
    try {
      found.set(name, name === 'bun' ? findBun() : findNodePackage(name));
    } catch (error) {
      if (wanted) throw error;
      console.log(`${name} is left out: ${error.message}`);
    }
  }
  return found;
}

function findNodePackage(name) {
  const request = name === 'hawser' ? ROOT : 'ws';
  const probe = spawnSync(process.execPath, ['-e', 'require(process.argv[1])', request], {
    cwd: ROOT,
    encoding: 'utf8'
  });
  if (probe.status !== 0) {
    const reason = probe.stderr.split('\n').find((line) => /Error/.test(line));
    throw new Error(`it does not load (${reason ?? `exit ${probe.status}`})`);
  }
  const manifest = name === 'hawser' ? path.join(ROOT, 'package.json') : 'ws/package.json';
  return {
    name,
    version: require(manifest).version,
    listeners: ['port', 'http', 'https', 'tls'],
    argv: (...args) => [
      process.execPath,
      '--expose-gc',
      path.join(SERVERS, 'echo.js'),
      name,
      ...args
    ]
  };
}

/** Bun from the environment variable BUN, or from the npm package where npm may have put it. */
function findBun() {
  for (const candidate of bunCandidates()) {
    const probe = spawnSync(candidate, ['--version'], { encoding: 'utf8' });
    if (probe.status === 0) {
      return {
        name: 'bun',
        version: probe.stdout.trim(),
        listeners: ['port', 'tls'],
        argv: (app, ...args) => [candidate, path.join(SERVERS, 'bun.js'), ...args]
      };
    }
  }
  throw new Error('the npm package bun is not installed and BUN names no binary');
}

function bunCandidates() {
  if (process.env.BUN) return [process.env.BUN];
  try {
    const directory = path.dirname(require.resolve('bun/package.json', { paths: [ROOT] }));
    const platforms = path.resolve(directory, '../@oven');
    const packages = fs.existsSync(platforms) ? fs.readdirSync(platforms) : [];
    return [
      path.join(directory, 'bin/bun.exe'),
      ...packages.map((name) => path.join(platforms, name, 'bin/bun'))
    ];
  } catch {
    return [];
  }
}

module.exports = { findImplementations, ROOT };

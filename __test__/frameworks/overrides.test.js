'use strict';

// Which implementation do the packages get for `ws`?

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { createRequire } = require('node:module');
const { isWs } = require('../support/helpers.js');
const { PACKAGES, ROOT, frameworkTest } = require('./support/load.js');
const WebSocket = require('../support/impl.js');

const ENTRY = isWs
  ? require.resolve('ws', { paths: [ROOT] })
  : fs.realpathSync(path.join(ROOT, 'index.js'));

/** What npm has installed: paths relative to this folder, and what each of them depends on. */
function installed() {
  const file = path.join(PACKAGES, '.package-lock.json');
  return Object.entries(JSON.parse(fs.readFileSync(file)).packages);
}

frameworkTest('there is one ws: a link to this repository', () => {
  const copies = installed().filter(([folder]) => /(^|\/)node_modules\/ws$/.test(folder));
  assert.deepStrictEqual(
    copies.map(([folder, { link }]) => [folder, link]),
    [['node_modules/ws', true]]
  );
  assert.strictEqual(fs.realpathSync(path.join(PACKAGES, 'ws')), fs.realpathSync(ROOT));
});

frameworkTest('every package that depends on ws gets the implementation under test', () => {
  const dependents = installed().filter(
    ([folder, { dependencies, optionalDependencies, peerDependencies }]) =>
      folder.startsWith('node_modules/') &&
      'ws' in { ...dependencies, ...optionalDependencies, ...peerDependencies }
  );
  const names = dependents.map(([folder]) => folder.slice('node_modules/'.length));
  for (const name of [
    '@fastify/websocket',
    'engine.io',
    'engine.io-client',
    'express-ws',
    'graphql-ws',
    'mqtt',
    'puppeteer-core',
    'socket.io-adapter'
  ]) {
    assert(names.includes(name), name);
  }
  for (const name of names) {
    const requireThere = createRequire(path.join(PACKAGES, name, 'package.json'));
    assert.strictEqual(requireThere.resolve('ws'), ENTRY, name);
    assert.strictEqual(requireThere('ws'), WebSocket, name);
  }
});

frameworkTest(
  'the ES module is the same class',
  // only require() is redirected to npm ws
  { skip: isWs && 'hawser only' },
  async () => {
    const module = await import('ws');
    assert.strictEqual(module.default, WebSocket);
    assert.strictEqual(module.WebSocketServer, WebSocket.WebSocketServer);
  }
);

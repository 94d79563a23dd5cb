'use strict';

// Loads the packages of this folder. What they get for `ws` is hawser, by the "overrides" of
// package.json; with HAWSER_TEST_IMPL=ws it is npm ws, a development dependency of the repository.

const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const { isWs, test } = require('../../support/helpers.js');
const { needPeer } = require('../../peers/need-peer.js');

const ROOT = path.join(__dirname, '..', '..', '..');
const PACKAGES = path.join(__dirname, '..', 'node_modules');
const HINT = 'the frameworks are missing: (cd __test__/frameworks && npm install)';

// The link to hawser; without it `ws` would be found in the node_modules of the repository.
const isInstalled = fs.existsSync(path.join(PACKAGES, 'ws', 'package.json'));

if (isWs) {
  const npmWs = require.resolve('ws', { paths: [ROOT] });
  const resolveFilename = Module._resolveFilename;
  Module._resolveFilename = function (request, ...args) {
    return request === 'ws' ? npmWs : resolveFilename.call(this, request, ...args);
  };
}

/** `require(name)`, or an empty object where the frameworks are not installed. */
function load(name) {
  return isInstalled ? require(name) : {};
}

/** The same for a package that has ES modules only. */
async function loadModule(name) {
  return isInstalled ? import(name) : {};
}

/** A test, (title, fn) or (title, options, fn), that needs the frameworks. */
function frameworkTest(title, options, fn) {
  if (typeof options === 'function') [options, fn] = [{}, options];
  return test(title, options, (t) => (needPeer(t, isInstalled, HINT) ? fn(t) : undefined));
}

module.exports = { PACKAGES, ROOT, frameworkTest, load, loadModule };

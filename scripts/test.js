'use strict';

// Runs __test__/**/*.test.js under `node --test`, and those directly in __test__ again over each
// carrier (see __test__/support/carriers.js). Arguments that are no options select the files whose
// path contains one of them:
//   node scripts/test.js                     everything
//   node scripts/test.js close errors        close.test.js and errors.test.js, over all carriers
//   node scripts/test.js --carrier=adopted   over one carrier only
//   node scripts/test.js --test-name-pattern=1006
// HAWSER_TEST_IMPL=ws runs the same files against npm ws.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const tests = path.join(root, '__test__');
const CARRIERS = ['native', 'adopted', 'stream', 'tls'];
// a server of ws with a port of its own has no TLS
if (process.env.HAWSER_TEST_IMPL !== 'ws') CARRIERS.push('wss');

/** What is the same over all carriers: no connections, or such as the test makes itself. */
const WITHOUT_CARRIERS = ['exports.test.js', 'http2.test.js', 'set-socket.test.js'];

const args = process.argv.slice(2);
const isCarrier = (arg) => arg.startsWith('--carrier=');
const options = args.filter((arg) => arg.startsWith('-') && !isCarrier(arg));
const filters = args.filter((arg) => !arg.startsWith('-'));
const carriers = selectedCarriers();

function selectedCarriers() {
  const chosen = args.filter(isCarrier).map((arg) => arg.slice('--carrier='.length));
  if (chosen.length === 0 && process.env.HAWSER_TEST_CARRIER) {
    chosen.push(process.env.HAWSER_TEST_CARRIER);
  }
  const unknown = chosen.find((name) => !CARRIERS.includes(name));
  if (unknown !== undefined) fail(`no carrier ${unknown}: there are ${CARRIERS.join(', ')}`);
  return chosen.length > 0 ? chosen : CARRIERS;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

/** The packages below __test__/frameworks bring tests of their own. */
function testFiles(dir) {
  return fs
    .readdirSync(dir, { withFileTypes: true })
    .flatMap((entry) => {
      const file = path.join(dir, entry.name);
      if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : testFiles(file);
      return entry.name.endsWith('.test.js') ? [file] : [];
    })
    .sort();
}

const files = testFiles(tests)
  .map((file) => path.relative(root, file))
  .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)));

/** Those of the selected files that say something about `carrier`. */
function filesOver(carrier) {
  if (carrier === 'native') return files;
  return files.filter(
    (file) => path.dirname(file) === '__test__' && !WITHOUT_CARRIERS.includes(path.basename(file))
  );
}

/** Whether all that is selected passes over `carrier`. */
function passes(carrier) {
  const files = filesOver(carrier);
  console.log(`\n=== carrier ${carrier}: ${files.length} files`);
  const { status, signal, error } = spawnSync(process.execPath, ['--test', ...options, ...files], {
    cwd: root,
    env: { ...process.env, HAWSER_TEST_CARRIER: carrier },
    stdio: 'inherit'
  });
  if (error) throw error;
  if (signal) console.error(`node --test was ended by ${signal}`);
  return status === 0;
}

const toRun = carriers.filter((carrier) => filesOver(carrier).length > 0);
if (toRun.length === 0) fail(`no test file matches ${filters.join(' ')}`);
const failed = toRun.filter((carrier) => !passes(carrier));
if (failed.length > 0) fail(`\nfailed over ${failed.join(', ')}`);

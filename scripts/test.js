'use strict';

// Runs __test__/**/*.test.js under `node --test`. Arguments that are no options select the files
// whose path contains one of them:
//   node scripts/test.js                 everything
//   node scripts/test.js close errors    close.test.js and errors.test.js
//   node scripts/test.js --test-name-pattern=1006
// HAWSER_TEST_IMPL=ws runs the same files against npm ws.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const args = process.argv.slice(2);
const options = args.filter((arg) => arg.startsWith('-'));
const filters = args.filter((arg) => !arg.startsWith('-'));

function testFiles(dir) {
  return fs
    .readdirSync(dir, { withFileTypes: true })
    .flatMap((entry) => {
      const file = path.join(dir, entry.name);
      if (entry.isDirectory()) return testFiles(file);
      return entry.name.endsWith('.test.js') ? [file] : [];
    })
    .sort();
}

const files = testFiles(path.join(root, '__test__'))
  .map((file) => path.relative(root, file))
  .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)));

if (files.length === 0) {
  console.error(`no test file matches ${filters.join(' ')}`);
  process.exit(1);
}

const { status, signal, error } = spawnSync(process.execPath, ['--test', ...options, ...files], {
  cwd: root,
  stdio: 'inherit'
});
if (error) throw error;
if (signal) console.error(`node --test was ended by ${signal}`);
process.exit(status ?? 1);

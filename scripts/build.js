'use strict';

// npm run build [-- --force]: compiles the addon unless it is newer than all of its sources.

const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');

const MIN_NODE = 20;
const ROOT = path.join(__dirname, '..');
const SOURCES = ['Cargo.toml', 'Cargo.lock', 'build.rs', 'src'];

function main(args) {
  checkPrerequisites();
  if (!args.includes('--force') && isFresh()) {
    console.log('hawser: the addon is up to date (npm run build -- --force builds it anyway)');
    return;
  }
  console.log('hawser: compiling the addon; the first time this takes a few minutes');
  const startedAt = new Date();
  const cli = require.resolve('@napi-rs/cli/package.json');
  const napi = path.join(path.dirname(cli), require(cli).bin.napi);
  const { status } = spawnSync(
    process.execPath,
    [napi, 'build', '--platform', '--release', '--js', 'native.js', '--dts', 'native.d.ts'],
    { cwd: ROOT, stdio: 'inherit' }
  );
  if (status !== 0) fail('hawser: the build failed, see above');
  // A source that was saved while it compiled is newer than this.
  for (const file of outputs()) fs.utimesSync(file, startedAt, startedAt);
  const seconds = Math.round((Date.now() - startedAt) / 1000);
  console.log(`hawser: built in ${seconds} s`);
}

function checkPrerequisites() {
  if (Number(process.versions.node.split('.')[0]) < MIN_NODE) {
    fail(`hawser needs Node.js ${MIN_NODE} or newer; this is ${process.version}.`);
  }
  if (spawnSync('cargo', ['--version'], { cwd: ROOT }).status !== 0) {
    fail(
      'hawser is compiled by Rust, and `cargo` does not run here.\n' +
        'Install Rust from https://rustup.rs, open a new terminal, and run this again.'
    );
  }
  if (!fs.existsSync(path.join(ROOT, 'node_modules', '@napi-rs', 'cli'))) {
    fail('The development dependencies are missing: run `npm install` first.');
  }
}

function isFresh() {
  const built = outputs();
  if (built.length < 2) return false;
  const oldest = Math.min(...built.map(mtime));
  return SOURCES.flatMap(filesBelow).every((file) => mtime(file) < oldest);
}

/** native.js and the addon for this platform, as far as they exist. */
function outputs() {
  const prefix = `hawser.${process.platform}-${process.arch}`;
  return fs
    .readdirSync(ROOT)
    .filter((name) => name === 'native.js' || (name.startsWith(prefix) && name.endsWith('.node')))
    .map((name) => path.join(ROOT, name));
}

function filesBelow(name) {
  const file = path.join(ROOT, name);
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (!stat) return [];
  if (!stat.isDirectory()) return [file];
  return fs.readdirSync(file).flatMap((entry) => filesBelow(path.join(name, entry)));
}

function mtime(file) {
  return fs.statSync(file).mtimeMs;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

main(process.argv.slice(2));

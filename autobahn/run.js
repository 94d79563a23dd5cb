'use strict';

// Runs the Autobahn testsuite: npm run test:autobahn [-- [server|client] [CASES]]
//
// Both roles unless one is named. CASES as in run-server-test.sh; the default is all of them, of which
// everything has to be strictly right.

const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { isDeepStrictEqual } = require('node:util');
const { once } = require('node:events');
const { spawn } = require('node:child_process');

const ROLES = ['server', 'client'];
const DEFAULT_CASES = '*';
// Where the protocol leaves the behaviour open, Autobahn only writes it down.
const INFORMATIONAL = ['7.1.6', '7.13.1', '7.13.2'];
const EXPECTED = {
  OK: 514,
  'NON-STRICT': 0,
  INFORMATIONAL: 3,
  FAILED: 0,
  UNIMPLEMENTED: 0,
  MISSING: 0
};

async function main(args) {
  const roles = ROLES.includes(args[0]) ? [args.shift()] : ROLES;
  const cases = args[0] ?? DEFAULT_CASES;
  // So that two roles do not both build it.
  if (await run('setup', 'setup.sh', [])) throw new Error('the testsuite could not be set up');
  // at the same time: most of it is Autobahn's own work, on one core
  await Promise.all(roles.map((role) => testRole(role, cases)));
}

async function testRole(role, cases) {
  console.log(`Autobahn, hawser as the ${role}, cases ${cases}`);
  const report = path.join(__dirname, 'reports', `${role}.json`);
  fs.mkdirSync(path.dirname(report), { recursive: true });
  const status = await (role === 'server' ? testServer : testClient)(cases, report);
  const problem = status ? 'the summary above says FAIL' : check(report, cases);
  if (!problem) return;
  console.error(`Autobahn, ${role}: ${problem}`);
  process.exitCode = 1;
}

async function testServer(cases, report) {
  const server = spawn(process.execPath, [path.join(__dirname, 'echo-server.js')], {
    stdio: ['ignore', 'pipe', 'inherit']
  });
  const exited = once(server, 'exit');
  try {
    const lines = readline.createInterface({ input: server.stdout });
    const [line] = await Promise.race([once(lines, 'line'), exited.then(() => [null])]);
    if (line === null) throw new Error('the echo server did not start');
    return await run('server', 'run-server-test.sh', [line.split(' ').pop(), cases, report]);
  } finally {
    server.kill();
    await exited;
  }
}

function testClient(cases, report) {
  const driver = path.join(__dirname, 'client-driver.js');
  return run('client', 'run-client-test.sh', [`'${process.execPath}' '${driver}'`, cases, report]);
}

async function run(name, script, args) {
  const child = spawn(path.join(__dirname, script), args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = readline.createInterface({ input: child.stdout });
  lines.on('line', (line) => console.log(`${name}: ${line}`));
  const [[status]] = await Promise.all([once(child, 'exit'), once(lines, 'close')]);
  return status ?? 1;
}

/** What is wrong with a run of the default set, or undefined. */
function check(report, cases) {
  if (cases !== DEFAULT_CASES) return undefined;
  const agents = Object.values(JSON.parse(fs.readFileSync(report, 'utf8')).agents);
  if (agents.length !== 1) return `${agents.length} agents instead of one`;
  const [{ counts, informational }] = agents;
  if (!isDeepStrictEqual(counts, EXPECTED)) {
    return `expected ${JSON.stringify(EXPECTED)}, got ${JSON.stringify(counts)}`;
  }
  if (!isDeepStrictEqual(informational, INFORMATIONAL)) {
    return `informational: expected ${INFORMATIONAL}, got ${informational}`;
  }
}

main(process.argv.slice(2)).catch((err) => {
  console.error(err.message);
  process.exitCode = 1;
});

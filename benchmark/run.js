'use strict';

const fs = require('node:fs');
const { parseArgs } = require('node:util');

const { CASES } = require('./lib/cases');
const { environment, describe } = require('./lib/environment');
const { findImplementations } = require('./lib/implementations');
const { choosePins } = require('./lib/pins');
const { withServer, buildLoadgen, runLoadgen } = require('./lib/processes');
const { caseTable, targetTable } = require('./lib/results');
const { rotate } = require('./lib/rounds');

const USAGE = `usage: npm run bench -- [options]
       npm run bench -- memory [options]      see memory.js
       npm run bench -- fairness [options]    see fairness.js

  --rounds N       rounds, default 3
  --secs S         measured seconds of each run, default 2
  --warmup S       seconds before them, default 0.5; some cases take more
  --case REGEX     only the cases whose name matches
  --servers a,b    of hawser, ws, bun; default all that are there
  --json FILE      writes every run
  --list           prints the cases`;

async function main() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      secs: { type: 'string', default: '2' },
      warmup: { type: 'string', default: '0.5' },
      case: { type: 'string', default: '' },
      servers: { type: 'string' },
      json: { type: 'string' },
      list: { type: 'boolean' },
      help: { type: 'boolean' }
    }
  });
  if (values.help) return console.log(USAGE);
  const cases = CASES.filter(({ name }) => new RegExp(values.case).test(name));
  if (values.list) return console.log(cases.map(({ name }) => name).join('\n'));
  if (cases.length === 0) throw new Error(`no case matches ${values.case}`);

  const binary = buildLoadgen();
  const implementations = findImplementations(values.servers?.split(','));
  const about = environment(implementations);
  console.log(`\n${describe(about)}`);
  const cpus = choosePins();
  console.log(`${values.rounds} rounds of ${values.secs} s after ${values.warmup} s of warmup\n`);

  const runs = [];
  const failures = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    if (!process.stdout.isTTY) console.log(`round ${round + 1}`);
    for (const { name, listener, compression, options, warmup = 0 } of cases) {
      for (const implementation of rotate([...implementations.values()], round)) {
        if (!implementation.listeners.includes(listener)) continue;
        const label = `round ${round + 1}, ${name}, ${implementation.name}`;
        progress(label);
        try {
          const timing = { secs: values.secs, warmup: Math.max(values.warmup, warmup) };
          const load = { ...options, ...timing, cpu: cpus.generator };
          const how = { listener, compression, cpu: cpus.server };
          const result = await measure(binary, implementation, how, load);
          runs.push({ case: name, server: implementation.name, listener, round, ...result });
        } catch (error) {
          failures.push(`${label}: ${error.message}`);
        }
      }
    }
  }
  progress('');

  const names = [...implementations.keys()];
  for (const one of cases) console.log(caseTable(one, names, runs));
  console.log(targetTable(cases, runs));
  if (values.json)
    fs.writeFileSync(values.json, JSON.stringify({ about, runs, failures }, null, 1));
  for (const failure of failures) console.error(`FAILED ${failure}`);
  if (failures.length > 0) process.exitCode = 1;
}

/** One run against a fresh server. */
function measure(binary, implementation, how, load) {
  return withServer(implementation, how, async (server) => {
    const result = await runLoadgen(binary, server, load);
    return { ...result, peak_rss_mib: result.peak_rss_kib / 1024 };
  });
}

function progress(text) {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${text}`);
}

const OTHERS = ['memory', 'fairness'];
const run = OTHERS.includes(process.argv[2]) ? require(`./${process.argv.splice(2, 1)[0]}`) : main;
run().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});

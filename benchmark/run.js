'use strict';

const fs = require('node:fs');
const os = require('node:os');
const { parseArgs } = require('node:util');

const { CASES, METRICS, TARGETS } = require('./lib/cases');
const { environment, describe } = require('./lib/environment');
const { findImplementations } = require('./lib/implementations');
const { withServer, buildLoadgen, runLoadgen } = require('./lib/processes');
const { median, spread } = require('./lib/stats');
const { table, number, ratio } = require('./lib/table');

const BASELINE = 'ws';
const USAGE = `usage: npm run bench -- [options]    (or: npm run bench -- memory, see memory.js)

  --rounds N       rounds, default 3
  --secs S         measured seconds of each run, default 2
  --warmup S       seconds before them, default 0.5
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
    for (const { name, options } of cases) {
      for (const implementation of rotate([...implementations.values()], round)) {
        const label = `round ${round + 1}, ${name}, ${implementation.name}`;
        progress(label);
        try {
          const timing = { secs: values.secs, warmup: values.warmup };
          const result = await measure(binary, implementation, cpus, { ...options, ...timing });
          runs.push({ case: name, server: implementation.name, round, ...result });
        } catch (error) {
          failures.push(`${label}: ${error.message}`);
        }
      }
    }
  }
  progress('');

  const names = [...implementations.keys()];
  for (const { name } of cases) printCase(name, names, runs);
  printTargets(cases, runs);
  if (values.json)
    fs.writeFileSync(values.json, JSON.stringify({ about, runs, failures }, null, 1));
  for (const failure of failures) console.error(`FAILED ${failure}`);
  if (failures.length > 0) process.exitCode = 1;
}

/** The server on core 0, the generator on core 1: neither may take the other's time. */
function choosePins() {
  if (process.platform !== 'linux') throw new Error('the load generator needs Linux');
  if (os.cpus().length > 1) return { server: 0, generator: 1 };
  console.log('One core only: server and generator share it, and no figure here says much.');
  return {};
}

/** One run against a fresh server. */
function measure(binary, implementation, cpus, options) {
  return withServer(implementation, { cpu: cpus.server }, async (server) => {
    const result = await runLoadgen(binary, server, { ...options, cpu: cpus.generator });
    return { ...result, peak_rss_mib: result.peak_rss_kib / 1024 };
  });
}

function rotate(list, by) {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

function progress(text) {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${text}`);
}

function valuesOf(runs, name, server, metric) {
  return runs.filter((run) => run.case === name && run.server === server).map((run) => run[metric]);
}

function printCase(name, servers, runs) {
  const present = servers.filter((server) => valuesOf(runs, name, server, 'msgs').length > 0);
  if (present.length === 0) return;
  const rows = [[name, ...METRICS.flatMap(({ title }) => [title, '', ''])]];
  for (const server of present) {
    const cells = METRICS.flatMap(({ key, digits }) => {
      const values = valuesOf(runs, name, server, key);
      const base = valuesOf(runs, name, BASELINE, key);
      const compared = server !== BASELINE && base.length > 0;
      return [
        number(median(values), digits),
        `±${Math.round(spread(values) * 100)}%`,
        compared ? ratio(median(values) / median(base)) : ''
      ];
    });
    rows.push([`  ${server}`, ...cells]);
  }
  console.log(table(rows));
  for (const server of present) printNotes(name, server, runs);
  console.log();
}

/** Threads besides the JS thread, and a generator that has no time left. */
function printNotes(name, server, runs) {
  const own = runs.filter((run) => run.case === name && run.server === server);
  const threads = new Set(own.flatMap((run) => Object.keys(run.threads_us_per_msg)));
  const busy = [...threads]
    .map((thread) => [thread, median(own.map((run) => run.threads_us_per_msg[thread] ?? 0))])
    .filter(([, us]) => us >= 0.005);
  if (busy.length > 1) {
    const list = busy.map(([thread, us]) => `${thread} ${number(us, 2)}`).join(', ');
    console.log(`  ${server}, CPU us/msg by thread: ${list}`);
  }
  const generator = median(own.map((run) => run.generator_busy));
  const idle = 1 - median(own.map((run) => run.server_busy));
  if (idle > 0.1 && own[0].conns > 1) {
    const share = `${Math.round(generator * 100)} %`;
    console.log(
      `  ${server} was idle ${Math.round(idle * 100)} % of the time (generator ${share})`
    );
  }
}

function printTargets(cases, runs) {
  const rows = [['targets (hawser to ws)', 'metric', 'target', 'measured', '']];
  for (const target of TARGETS) {
    if (!cases.some(({ name }) => name === target.case)) continue;
    const title = METRICS.find(({ key }) => key === target.metric).title;
    const own = valuesOf(runs, target.case, 'hawser', target.metric);
    const base = valuesOf(runs, target.case, BASELINE, target.metric);
    const row = [`  ${target.case}`, title, target.text];
    if (own.length === 0 || base.length === 0) {
      rows.push([...row, '-', 'not measured']);
      continue;
    }
    const measured = median(own) / median(base);
    const met = target.most === undefined ? measured >= target.least : measured <= target.most;
    rows.push([...row, ratio(measured), met ? 'met' : 'NOT MET']);
  }
  if (rows.length > 1) console.log(`${table(rows)}\n`);
}

const mode = process.argv[2] === 'memory' ? process.argv.splice(2, 1)[0] : 'speed';
const run = mode === 'memory' ? require('./memory') : main;
run().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});

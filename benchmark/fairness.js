'use strict';

const { parseArgs } = require('node:util');

const { environment, describe } = require('./lib/environment');
const { findImplementations } = require('./lib/implementations');
const { choosePins } = require('./lib/pins');
const { withServer, buildLoadgen, runLoadgen } = require('./lib/processes');
const { collect } = require('./lib/rounds');
const { table, number } = require('./lib/table');

const USAGE = `usage: npm run bench -- fairness [options]

  --case REGEX     only those of plain, compressed that match
  --rounds N       rounds, default 3
  --secs S         measured seconds of each run, default 5
  --servers a,b    of hawser, ws, bun; default all that are there`;

const TARGET_MS = 5;
const MIB = 1024 * 1024;
/** Before the measured time; the large messages must be under way by its end. */
const WARMUP = 2;
const MIN_LARGE_MSGS = 3;

/**
 * Short messages at intervals: with as many as the server takes, those that wait for a large one
 * would be too few to be seen.
 */
const SMALL = { conns: 20, size: 128, interval: 10, warmup: WARMUP };
/**
 * The second generator gets what the first leaves of their core: it must not keep the short
 * messages waiting itself.
 */
const LARGE = { conns: 1, size: 10 * MIB, deflate: 'takeover', warmup: 0, background: true };

const CASES = [
  { name: 'plain', title: 'uncompressed', options: {} },
  { name: 'compressed', title: 'compressed', options: { deflate: 'takeover' } }
];

async function main() {
  const { values } = parseArgs({
    options: {
      case: { type: 'string', default: '' },
      rounds: { type: 'string', default: '3' },
      secs: { type: 'string', default: '5' },
      servers: { type: 'string' },
      help: { type: 'boolean' }
    }
  });
  if (values.help) return console.log(USAGE);
  const binary = buildLoadgen();
  const implementations = findImplementations(values.servers?.split(','));
  console.log(`\n${describe(environment(implementations))}\n`);
  const cpus = choosePins();
  const secs = Number(values.secs);
  for (const { name, title, options } of CASES) {
    if (!new RegExp(values.case).test(name)) continue;
    const small = { ...SMALL, ...options, secs, cpu: cpus.generator };
    const results = await collect([...implementations.values()], Number(values.rounds), (one) =>
      measure(binary, one, cpus, small)
    );
    report(title, results);
  }
}

/** The short messages by themselves, then with one large message after another beside them. */
async function measure(binary, implementation, cpus, small) {
  const how = { compression: 'takeover', cpu: cpus.server };
  const alone = await withServer(implementation, how, (server) =>
    runLoadgen(binary, server, small)
  );
  const [beside, large] = await withServer(implementation, how, async (server) => {
    const options = { ...LARGE, secs: small.secs + WARMUP + 1, cpu: cpus.generator };
    const running = runLoadgen(binary, server, options);
    // What fails first is reported.
    running.catch(() => {});
    return [await runLoadgen(binary, server, small), await running];
  });
  if (large.msgs < MIN_LARGE_MSGS) {
    throw new Error(`no more than ${large.msgs} large messages in ${large.secs} s`);
  }
  return {
    aloneUs: alone.p99_us,
    besideUs: beside.p99_us,
    maxUs: beside.max_us,
    differenceMs: (beside.p99_us - alone.p99_us) / 1000,
    largePerSecond: large.msgs_per_s
  };
}

function report(title, results) {
  const columns = ['p99 us alone', 'beside 10 MiB', 'max us', 'difference ms', '10 MiB msgs/s'];
  const { conns, size, interval } = SMALL;
  const rows = [[`${conns} x ${size} B every ${interval} ms, ${title}`, ...columns]];
  for (const [name, one] of results) {
    const micros = [one.aloneUs, one.besideUs, one.maxUs].map((us) => number(us, 0));
    rows.push([`  ${name}`, ...micros, number(one.differenceMs, 2), number(one.largePerSecond, 1)]);
  }
  console.log(table(rows));
  const own = results.get('hawser');
  if (own) {
    const met = own.differenceMs <= TARGET_MS ? 'met' : 'NOT MET';
    console.log(`  target: at most ${TARGET_MS} ms more: ${met}`);
  }
  console.log();
}

module.exports = main;

if (require.main === module) {
  main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}

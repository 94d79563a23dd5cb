'use strict';

const { parseArgs } = require('node:util');

const { environment, describe } = require('./lib/environment');
const { findImplementations } = require('./lib/implementations');
const cases = require('./lib/memory-cases');
const { buildLoadgen } = require('./lib/processes');
const { collect } = require('./lib/rounds');
const { table, number } = require('./lib/table');

const USAGE = `usage: npm run bench -- memory [options]

  --case REGEX     only those of idle, tls, deflate, keep, blocked that match
  --rounds N       rounds, default 3
  --conns N        idle connections, with TLS and without, default 5000
  --servers a,b    of hawser, ws, bun; default all that are there`;

const IDLE_TARGET_KIB = 4;
const TLS_TARGET_KIB = 16;
const DEFLATE_CONNS = 2000;
/** What RSS may still grow in the second half of the block if it counts as bounded. */
const PLATEAU_KIB = 4096;
/** By how much two runs of the same server differ. */
const NOISE_KIB = 1024;

async function main() {
  const { values } = parseArgs({
    options: {
      case: { type: 'string', default: '' },
      rounds: { type: 'string', default: '3' },
      conns: { type: 'string', default: '5000' },
      servers: { type: 'string' },
      help: { type: 'boolean' }
    }
  });
  if (values.help) return console.log(USAGE);
  const wanted = new RegExp(values.case);
  const binary = buildLoadgen();
  const implementations = findImplementations(values.servers?.split(','));
  console.log(`\n${describe(environment(implementations))}\n`);

  const all = [...implementations.values()];
  const withApps = all.filter(({ name }) => name !== 'bun');
  const rounds = Number(values.rounds);
  const conns = Number(values.conns);
  if (wanted.test('idle')) await idle(binary, all, rounds, conns);
  if (wanted.test('tls')) await tls(binary, all, rounds, conns);
  if (wanted.test('deflate')) await deflate(binary, implementations, rounds);
  if (wanted.test('keep')) {
    await keep(binary, withApps, rounds, 1);
    await keep(binary, withApps, rounds, 100);
  }
  if (wanted.test('blocked')) await blocked(binary, withApps, rounds);
}

async function idle(binary, implementations, rounds, conns) {
  const results = await collect(implementations, rounds, (one) => cases.idle(binary, one, conns));
  reportIdle(`${conns} idle connections`, results, IDLE_TARGET_KIB);
}

async function tls(binary, implementations, rounds, conns) {
  const results = await collect(implementations, rounds, (one) => cases.tls(binary, one, conns));
  reportIdle(`${conns} idle TLS connections`, results, TLS_TARGET_KIB);
}

function reportIdle(title, results, mostKib) {
  console.log(connectionTable(title, results));
  const own = results.get('hawser');
  if (own) target(`at most ${mostKib} KiB each`, own.openedKib <= mostKib);
  console.log();
}

async function deflate(binary, implementations, rounds) {
  const variants = cases.DEFLATE_VARIANTS.filter(({ server }) => implementations.has(server)).map(
    (variant) => ({ ...implementations.get(variant.server), ...variant })
  );
  const results = await collect(variants, rounds, (one) =>
    cases.deflate(binary, one, DEFLATE_CONNS)
  );
  const title = `${DEFLATE_CONNS} connections, 1 KiB of JSON echoed on each`;
  console.log(connectionTable(title, results));
  for (const { name, mostKib } of variants) {
    const own = results.get(name);
    if (own && mostKib) target(`${name}: at most ${mostKib} KiB each`, own.openedKib <= mostKib);
  }
  console.log();
}

function connectionTable(title, results) {
  const rows = [[title, 'KiB each', 'after a collection']];
  for (const [name, { openedKib, collectedKib }] of results) {
    rows.push([`  ${name}`, number(openedKib, 2), number(collectedKib, 2)]);
  }
  return table(rows);
}

async function keep(binary, implementations, rounds, pipeline) {
  const results = await collect(implementations, rounds, (one) =>
    cases.keep(binary, one, pipeline)
  );
  const how = pipeline === 1 ? 'ping-pong' : `bursts of ${pipeline}`;
  const rows = [[`keep 1 of 1,000, ${how}`, 'kept', 'RSS KiB', 'heap', 'external', 'peak']];
  for (const [name, grown] of results) {
    const sizes = [grown.rssKib, grown.heapKib, grown.externalKib, grown.peakKib];
    rows.push([`  ${name}`, String(grown.kept), ...sizes.map((kib) => `+${number(kib, 0)}`)]);
  }
  console.log(table(rows).replaceAll('+-', ' -'));
  const [own, base] = [results.get('hawser'), results.get('ws')];
  if (own && base) {
    target('grows no more than ws, within 1 MiB', own.rssKib <= base.rssKib + NOISE_KIB);
  }
  console.log();
}

async function blocked(binary, implementations, rounds) {
  const results = await collect(implementations, rounds, (one) => cases.blocked(binary, one));
  const title = 'JS thread blocked for 5 s under flood';
  const rows = [[title, 'messages, in order', 'RSS KiB at 2.5 s', 'at 4.8 s', 'peak']];
  for (const [name, { messages, middleKib, endKib, peakKib }] of results) {
    const sizes = [middleKib, endKib, peakKib].map((kib) => `+${number(kib, 0)}`);
    rows.push([`  ${name}`, number(messages, 0), ...sizes]);
  }
  console.log(table(rows).replaceAll('+-', ' -'));
  const own = results.get('hawser');
  if (own) target('bounded, then all in order', own.endKib - own.middleKib <= PLATEAU_KIB);
  console.log();
}

function target(text, met) {
  console.log(`  target: ${text}: ${met ? 'met' : 'NOT MET'}`);
}

module.exports = main;

if (require.main === module) {
  main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}

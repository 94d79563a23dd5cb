'use strict';

const { TARGETS, metricsOf } = require('./cases');
const { median, spread } = require('./stats');
const { table, number, ratio } = require('./table');

const BASELINE = 'ws';

function runsOf(runs, name, server) {
  return runs.filter((run) => run.case === name && run.server === server);
}

function valuesOf(runs, name, server, metric) {
  return runsOf(runs, name, server).map((run) => run[metric]);
}

/** The runs of a case as a table, with a row for each server that took part. */
function caseTable(one, servers, runs) {
  const { name, unit } = one;
  const present = servers.filter((server) => runsOf(runs, name, server).length > 0);
  if (present.length === 0) return `${name}: no run\n`;
  const metrics = metricsOf(one);
  const rows = [[name, ...metrics.flatMap(({ title }) => [title, '', ''])]];
  for (const server of present) {
    const cells = metrics.flatMap(({ key, digits }) => {
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
  const notes = present.flatMap((server) => notesOn(server, unit, runsOf(runs, name, server)));
  return [table(rows), ...notes, ''].join('\n');
}

/** Threads besides the JS thread, and a server that was not busy all the time. */
function notesOn(server, unit, runs) {
  const notes = [];
  const perThread = runs.map((run) => run[`threads_us_per_${unit}`]);
  const threads = new Set(perThread.flatMap((us) => Object.keys(us)));
  const busy = [...threads]
    .map((thread) => [thread, median(perThread.map((us) => us[thread] ?? 0))])
    .filter(([, us]) => us >= 0.005);
  if (busy.length > 1) {
    const list = busy.map(([thread, us]) => `${thread} ${number(us, 2)}`).join(', ');
    notes.push(`  ${server}, CPU us/${unit} by thread: ${list}`);
  }
  const generator = median(runs.map((run) => run.generator_busy));
  const idle = 1 - median(runs.map((run) => run.server_busy));
  if (idle > 0.1 && runs[0].conns > 1) {
    const share = `${Math.round(generator * 100)} %`;
    notes.push(`  ${server} was idle ${Math.round(idle * 100)} % of the time (generator ${share})`);
  }
  return notes;
}

/** What hawser is to reach in these cases, and whether it has. */
function targetTable(cases, runs) {
  const rows = [['targets (hawser to ws)', 'metric', 'target', 'measured', '']];
  for (const target of TARGETS) {
    const found = cases.find(({ name }) => name === target.case);
    if (!found) continue;
    const { title } = metricsOf(found).find(({ key }) => key === target.metric);
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
  return rows.length > 1 ? `${table(rows)}\n` : '';
}

module.exports = { caseTable, targetTable };

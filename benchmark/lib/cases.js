'use strict';

const KIB = 1024;
/** Those of servers/listen.js that the load generator has to speak TLS to. */
const TLS_LISTENERS = ['https', 'tls'];

/**
 * A case of echoes.
 *
 * @param {string} name
 * @param {Object} options of the load generator
 * @param {string} [listener] of servers/listen.js
 */
function echo(name, options, listener = 'port') {
  return { name, unit: 'msg', listener, options: { ...options, tls: isTls(listener) } };
}

/**
 * A case of echoes of JSON with compression at both ends.
 *
 * @param {string} deflate how: of servers/compression.js, and of the load generator
 */
function deflated(name, options, deflate) {
  return {
    ...echo(name, { ...options, deflate }),
    compression: deflate,
    metrics: 'deflated'
  };
}

/**
 * A case of connections that are opened and closed. A connection runs more code than an echo, and
 * less often: it takes longer until the JS engine has compiled it.
 */
function connect(name, listener) {
  const options = { mode: 'connect', conns: 100, tls: isTls(listener) };
  return { name, unit: 'conn', listener, options, warmup: 2 };
}

function isTls(listener) {
  return TLS_LISTENERS.includes(listener);
}

/** The loads of `npm run bench`; `unit` is what is counted, `metrics` what is printed. */
const CASES = [
  echo('64 B x 100', { size: 64, conns: 100 }),
  echo('64 B x 100, bursts of 16', { size: 64, conns: 100, pipeline: 16 }),
  echo('512 B x 100', { size: 512, conns: 100 }),
  echo('512 B text x 100', { size: 512, conns: 100, text: true }),
  echo('512 B x 100, bursts of 16', { size: 512, conns: 100, pipeline: 16 }),
  echo('1 KiB x 500', { size: KIB, conns: 500 }),
  echo('16 KiB x 50', { size: 16 * KIB, conns: 50 }),
  echo('64 KiB x 20', { size: 64 * KIB, conns: 20 }),
  echo('1 MiB x 4', { size: KIB * KIB, conns: 4 }),
  echo('64 B x 1', { size: 64, conns: 1 }),
  echo('64 B x 1, generator awake', { size: 64, conns: 1, spin: true }),
  echo('adopted: 512 B x 100', { size: 512, conns: 100 }, 'http'),
  echo('stream: 512 B x 100 over https', { size: 512, conns: 100 }, 'https'),
  connect('connect + close, port', 'port'),
  connect('connect + close, http server', 'http'),
  echo('tls: 512 B x 100', { size: 512, conns: 100 }, 'tls'),
  echo('tls: 16 KiB x 50', { size: 16 * KIB, conns: 50 }, 'tls'),
  connect('tls: connect + close', 'tls'),
  deflated('deflate 1 KiB JSON x 50, no takeover', { size: KIB, conns: 50 }, 'no-takeover'),
  deflated('deflate 1 KiB JSON x 50, takeover', { size: KIB, conns: 50 }, 'takeover'),
  deflated('deflate 16 KiB JSON x 20, no takeover', { size: 16 * KIB, conns: 20 }, 'no-takeover')
];

const PER_MESSAGE = [
  { key: 'msgs_per_s', title: 'msgs/s', digits: 0 },
  { key: 'cpu_us_per_msg', title: 'CPU us/msg', digits: 2 },
  { key: 'js_us_per_msg', title: 'JS us/msg', digits: 2 },
  { key: 'p50_us', title: 'p50 us', digits: 1 },
  { key: 'p99_us', title: 'p99 us', digits: 1 },
  { key: 'peak_rss_mib', title: 'peak MiB', digits: 1 }
];

/** What is printed of each run. */
const METRICS = {
  msg: PER_MESSAGE,
  deflated: [...PER_MESSAGE, { key: 'wire_bytes_per_msg', title: 'wire B/msg', digits: 0 }],
  conn: [
    { key: 'conns_per_s', title: 'conns/s', digits: 0 },
    { key: 'cpu_us_per_conn', title: 'CPU us/conn', digits: 1 },
    { key: 'js_us_per_conn', title: 'JS us/conn', digits: 1 },
    { key: 'p50_us', title: 'p50 us', digits: 0 },
    { key: 'p99_us', title: 'p99 us', digits: 0 },
    { key: 'peak_rss_mib', title: 'peak MiB', digits: 1 }
  ]
};

/** Those of a case. */
function metricsOf({ unit, metrics = unit }) {
  return METRICS[metrics];
}

/** What hawser is to reach: the ratio of its median to that of ws, by case and metric. */
const TARGETS = [
  { case: '512 B x 100', metric: 'js_us_per_msg', most: 1 / 15, text: 'at most 1/15' },
  { case: '512 B x 100', metric: 'cpu_us_per_msg', most: 0.6, text: 'at most 0.6' },
  { case: '512 B x 100, bursts of 16', metric: 'msgs_per_s', least: 8, text: 'at least 8' },
  { case: '16 KiB x 50', metric: 'cpu_us_per_msg', most: 0.25, text: 'at most 1/4' },
  { case: '16 KiB x 50', metric: 'peak_rss_mib', most: 1, text: 'at most 1' },
  { case: '1 MiB x 4', metric: 'cpu_us_per_msg', most: 0.25, text: 'at most 1/4' },
  { case: '1 MiB x 4', metric: 'peak_rss_mib', most: 1, text: 'at most 1' },
  { case: '64 B x 1', metric: 'p50_us', most: 1.1, text: 'at most 1.1' },
  { case: 'adopted: 512 B x 100', metric: 'js_us_per_msg', most: 1 / 12, text: 'at most 1/12' },
  { case: 'adopted: 512 B x 100', metric: 'cpu_us_per_msg', most: 0.65, text: 'at most 0.65' },
  { case: 'stream: 512 B x 100 over https', metric: 'msgs_per_s', least: 1, text: 'at least 1' },
  { case: 'stream: 512 B x 100 over https', metric: 'cpu_us_per_msg', most: 1, text: 'at most 1' },
  { case: 'connect + close, port', metric: 'cpu_us_per_conn', most: 0.35, text: 'at most 0.35' },
  { case: 'connect + close, http server', metric: 'cpu_us_per_conn', most: 1, text: 'at most 1' },
  { case: 'tls: 512 B x 100', metric: 'cpu_us_per_msg', most: 0.4, text: 'at most 0.4' },
  { case: 'tls: 512 B x 100', metric: 'js_us_per_msg', most: 1 / 25, text: 'at most 1/25' },
  { case: 'tls: 16 KiB x 50', metric: 'cpu_us_per_msg', most: 0.4, text: 'at most 0.4' },
  { case: 'tls: 16 KiB x 50', metric: 'js_us_per_msg', most: 1 / 25, text: 'at most 1/25' },
  { case: 'tls: connect + close', metric: 'conns_per_s', least: 1.5, text: 'at least 1.5' },
  ...deflateTargets('deflate 1 KiB JSON x 50, no takeover', 0.35, 40),
  ...deflateTargets('deflate 1 KiB JSON x 50, takeover', 0.45, 40),
  ...deflateTargets('deflate 16 KiB JSON x 20, no takeover', 0.65)
];

function deflateTargets(name, cpu, js) {
  const targets = [{ case: name, metric: 'cpu_us_per_msg', most: cpu, text: `at most ${cpu}` }];
  if (js) {
    targets.push({ case: name, metric: 'js_us_per_msg', most: 1 / js, text: `at most 1/${js}` });
  }
  return targets;
}

module.exports = { CASES, TARGETS, metricsOf };

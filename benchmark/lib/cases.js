'use strict';

const KIB = 1024;

/** The loads of `npm run bench`; `options` are those of the load generator. */
const CASES = [
  { name: '64 B x 100', options: { size: 64, conns: 100 } },
  { name: '64 B x 100, bursts of 16', options: { size: 64, conns: 100, pipeline: 16 } },
  { name: '512 B x 100', options: { size: 512, conns: 100 } },
  { name: '512 B text x 100', options: { size: 512, conns: 100, text: true } },
  { name: '512 B x 100, bursts of 16', options: { size: 512, conns: 100, pipeline: 16 } },
  { name: '1 KiB x 500', options: { size: KIB, conns: 500 } },
  { name: '16 KiB x 50', options: { size: 16 * KIB, conns: 50 } },
  { name: '64 KiB x 20', options: { size: 64 * KIB, conns: 20 } },
  { name: '1 MiB x 4', options: { size: KIB * KIB, conns: 4 } },
  { name: '64 B x 1', options: { size: 64, conns: 1 } },
  { name: '64 B x 1, generator awake', options: { size: 64, conns: 1, spin: true } }
];

/** What is printed of each run. */
const METRICS = [
  { key: 'msgs_per_s', title: 'msgs/s', digits: 0 },
  { key: 'cpu_us_per_msg', title: 'CPU us/msg', digits: 2 },
  { key: 'js_us_per_msg', title: 'JS us/msg', digits: 2 },
  { key: 'p50_us', title: 'p50 us', digits: 1 },
  { key: 'p99_us', title: 'p99 us', digits: 1 },
  { key: 'peak_rss_mib', title: 'peak MiB', digits: 1 }
];

/** What hawser is to reach: the ratio of its median to that of ws, by case and metric. */
const TARGETS = [
  { case: '512 B x 100', metric: 'js_us_per_msg', most: 1 / 15, text: 'at most 1/15' },
  { case: '512 B x 100', metric: 'cpu_us_per_msg', most: 0.6, text: 'at most 0.6' },
  { case: '512 B x 100, bursts of 16', metric: 'msgs_per_s', least: 8, text: 'at least 8' },
  { case: '16 KiB x 50', metric: 'cpu_us_per_msg', most: 0.25, text: 'at most 1/4' },
  { case: '16 KiB x 50', metric: 'peak_rss_mib', most: 1, text: 'at most 1' },
  { case: '1 MiB x 4', metric: 'cpu_us_per_msg', most: 0.25, text: 'at most 1/4' },
  { case: '1 MiB x 4', metric: 'peak_rss_mib', most: 1, text: 'at most 1' },
  { case: '64 B x 1', metric: 'p50_us', most: 1.1, text: 'at most 1.1' }
];

module.exports = { CASES, METRICS, TARGETS };

'use strict';

const fs = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');

const { withServer, runLoadgen } = require('./processes');

const BLOCK_MS = 5000;
const WARMUP_MSGS = 100_000;
const KEEP_MSGS = 1_000_000;

function rssKib(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
}

/**
 * Servers that compress: `compression` of servers/compression.js, `offer` of the load generator.
 * What `true` stands for is context takeover with hawser and ws, and shared contexts with Bun.
 */
const DEFLATE_VARIANTS = [
  { name: 'hawser', server: 'hawser', compression: 'default', offer: 'takeover', mostKib: 40 },
  { name: 'hawser, shared', server: 'hawser', compression: 'shared', offer: 'any', mostKib: 6 },
  { name: 'ws', server: 'ws', compression: 'default', offer: 'takeover' },
  { name: 'bun', server: 'bun', compression: 'default', offer: 'any' },
  { name: 'bun, dedicated', server: 'bun', compression: 'takeover', offer: 'takeover' }
];

/**
 * What an open connection without traffic costs a server that has just started: first as it is a
 * second after the last one was opened, then with the garbage of accepting collected.
 *
 * @returns {Promise<{openedKib: number, collectedKib: number}>} KiB of RSS for each connection
 */
function idle(binary, implementation, conns) {
  return weigh(binary, implementation, {}, { conns });
}

/** The same, over TLS. */
function tls(binary, implementation, conns) {
  return weigh(binary, implementation, { listener: 'tls' }, { conns, tls: true });
}

/**
 * As `idle`, but of connections on each of which one compressed KiB of JSON has been echoed, one
 * connection after the other.
 *
 * @param {Object} variant an implementation with one of `DEFLATE_VARIANTS`
 */
function deflate(binary, variant, conns) {
  const { compression, offer } = variant;
  const options = { conns, echo: true, size: 1024, deflate: offer };
  return weigh(binary, variant, { compression }, options);
}

function weigh(binary, implementation, how, load) {
  return withServer(implementation, how, async (server) => {
    await sleep(500);
    let collected;
    const options = { mode: 'idle', secs: 2, ...load };
    const report = await runLoadgen(binary, server, options, () => {
      collected = server.command('gc');
      collected.catch(ignore);
    });
    await collected;
    return { openedKib: report.opened_kib_per_conn, collectedKib: report.held_kib_per_conn };
  });
}

/**
 * An application that keeps one 20-byte message out of every 1,000, for 10^6 messages: how much
 * the process has grown after a collection, compared with one before the first was kept.
 *
 * @param {number} pipeline messages that each of 100 connections sends at once
 * @returns {Promise<Object>} growth in KiB, by kind of memory
 */
function keep(binary, implementation, pipeline) {
  return withServer(implementation, { app: 'keep' }, async (server) => {
    const options = { conns: 100, size: 20, pipeline };
    await runLoadgen(binary, server, { ...options, msgs: WARMUP_MSGS });
    const before = await server.command('gc');
    const rssBefore = rssKib(server.pid);
    await server.command('arm');
    const report = await runLoadgen(binary, server, { ...options, msgs: KEEP_MSGS });
    const after = await server.command('gc');
    const { kept } = await server.command('kept');
    const grown = (name) => (after[name] - before[name]) / 1024;
    return {
      kept,
      rssKib: rssKib(server.pid) - rssBefore,
      heapKib: grown('heapUsed'),
      externalKib: grown('external'),
      peakKib: report.peak_rss_kib - rssBefore
    };
  });
}

/**
 * 100 connections flood a server whose JS thread blocks for 5 s after half a second. The generator
 * fails unless the server says that every message arrived, and in order.
 *
 * @returns {Promise<Object>} KiB of RSS over that before the flood: in the middle and at the end
 *   of the block and at the peak of the whole run; and what was delivered
 */
function blocked(binary, implementation) {
  return withServer(implementation, { app: 'sink' }, async (server) => {
    const before = rssKib(server.pid);
    const samples = {};
    let block;
    const options = { mode: 'flood', conns: 100, size: 512, pipeline: 16, secs: 7 };
    const report = await runLoadgen(binary, server, options, () => {
      block = (async () => {
        await sleep(500);
        const unblocked = server.command(`block ${BLOCK_MS}`);
        await sleep(BLOCK_MS / 2);
        samples.middle = rssKib(server.pid);
        await sleep(BLOCK_MS / 2 - 200);
        samples.end = rssKib(server.pid);
        await unblocked;
      })();
      block.catch(ignore);
    });
    await block;
    return {
      messages: report.msgs,
      secs: report.secs,
      middleKib: samples.middle - before,
      endKib: samples.end - before,
      peakKib: report.peak_rss_kib - before
    };
  });
}

/** A server that dies fails the load generator first, which then says so. */
function ignore() {}

module.exports = { idle, tls, deflate, keep, blocked, DEFLATE_VARIANTS };

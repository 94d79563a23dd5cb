'use strict';

const { Worker } = require('node:worker_threads');
const { CARRIERS } = require('./child');
const { once } = require('./helpers');

/** A worker that runs `body` with `createServer`, `createClient`, `data` and `post` in scope. */
function start(t, body, data) {
  const source = `
    const { parentPort, workerData: data } = require('node:worker_threads');
    const { createClient, createServer } = require(${JSON.stringify(CARRIERS)});
    const post = (message) => parentPort.postMessage(message);
    ${body}
  `;
  const worker = new Worker(source, { eval: true, workerData: data });
  worker.exited = new Promise((resolve) => worker.on('exit', resolve));
  t.after(() => worker.terminate());
  return worker;
}

const next = async (worker) => (await once(worker, 'message'))[0];

module.exports = { next, start };

'use strict';

const os = require('node:os');

/**
 * The server on core 0, the generator on core 1: neither may take the other's time.
 *
 * @returns {{server?: number, generator?: number}}
 */
function choosePins() {
  if (process.platform !== 'linux') throw new Error('the load generator needs Linux');
  if (os.cpus().length > 1) return { server: 0, generator: 1 };
  console.log('One core only: server and generator share it, and no figure here says much.');
  return {};
}

module.exports = { choosePins };

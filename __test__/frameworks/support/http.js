'use strict';

const { HOST, once } = require('../../support/helpers.js');

/** Starts an HTTP server on a free loopback port and returns `host:port`; it ends with the test. */
async function listen(t, server) {
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  return `${HOST}:${server.address().port}`;
}

module.exports = { listen };

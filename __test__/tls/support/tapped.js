'use strict';

// A TCP connection in front of a server, in which a test can put bytes of its own, or end it without
// the server having a say.

const net = require('node:net');
const { HOST } = require('../../support/helpers');
const { listen } = require('../../node-client/support/servers');

/**
 * A port that leads to `port`. `onConnection({ client, server })` gets the two sockets of each
 * connection: what is written to `client` comes between what the server sends.
 */
async function tap(t, port, onConnection = () => {}) {
  const front = net.createServer((client) => {
    const server = net.connect(port, HOST);
    for (const [one, other] of [
      [client, server],
      [server, client]
    ]) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
      one.pipe(other);
    }
    front.connections.push({ client, server });
    onConnection({ client, server });
  });
  front.connections = [];
  await listen(t, front);
  front.port = front.address().port;
  return front;
}

module.exports = { tap };

'use strict';

// A proxy for HTTP: CONNECT (RFC 9110 section 9.3.6), and upgrade requests in absolute form.

const http = require('node:http');
const net = require('node:net');
const { HOST } = require('../../support/helpers');
const { listen } = require('./servers');

/** Both directions, until both have ended. */
function join(one, other) {
  for (const socket of [one, other]) socket.on('error', () => {});
  one.pipe(other);
  other.pipe(one);
  one.on('close', () => other.destroy());
  other.on('close', () => one.destroy());
}

/** The fields of a request to pass on, as lines. */
function forwarded(req) {
  const lines = [];
  for (let i = 0; i < req.rawHeaders.length; i += 2) {
    const [name, value] = req.rawHeaders.slice(i, i + 2);
    if (!/^proxy-/i.test(name)) lines.push(`${name}: ${value}`);
  }
  return lines;
}

/**
 * A listening proxy. `proxy.log` has [method, target, Proxy-Authorization] of each request. All
 * names are taken for loopback. With `credentials` ('user:pass') others are refused with 407.
 */
async function httpProxy(t, { credentials } = {}) {
  const proxy = http.createServer();
  proxy.log = [];
  const wanted = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`;

  /** Notes the request, and refuses it if it has the wrong credentials. */
  const isAllowed = (req, socket) => {
    const given = req.headers['proxy-authorization'];
    proxy.log.push([req.method, req.url, given]);
    if (!wanted || given === wanted) return true;
    socket.end(
      'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n' +
        'Content-Length: 6\r\nConnection: close\r\n\r\ndenied'
    );
    return false;
  };

  const dial = (port, socket, onConnect) => {
    const upstream = net.connect(port, HOST, () => onConnect(upstream));
    upstream.on('error', () => {
      if (socket.writable) socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n');
    });
  };

  proxy.on('connect', (req, socket, head) => {
    if (!isAllowed(req, socket)) return;
    const { port } = new URL(`http://${req.url}`);
    dial(Number(port), socket, (upstream) => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      upstream.write(head);
      join(socket, upstream);
    });
  });

  proxy.on('upgrade', (req, socket, head) => {
    if (!isAllowed(req, socket)) return;
    const { port, pathname, search } = new URL(req.url);
    dial(Number(port), socket, (upstream) => {
      const lines = [`GET ${pathname}${search} HTTP/1.1`, ...forwarded(req), '', ''];
      upstream.write(lines.join('\r\n'));
      upstream.write(head);
      join(socket, upstream);
    });
  });

  await listen(t, proxy);
  const at = credentials ? `${credentials}@` : '';
  proxy.url = `http://${at}${HOST}:${proxy.address().port}`;
  return proxy;
}

module.exports = { httpProxy, join };

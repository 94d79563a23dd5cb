'use strict';

// What becomes of a client, as something that can be compared: that of Node and that of the
// implementation, with the same options and the same server.

const https = require('node:https');
const WebSocket = require('../../support/impl');
const { within } = require('../../support/helpers');
const { SAMPLE_KEY } = require('../../support/raw-peer');
const { failure } = require('../../node-client/support/clients');

const HEADERS = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Key': SAMPLE_KEY,
  'Sec-WebSocket-Version': '13'
};

/** What a client knows of a server that it talks to. */
function opened(socket) {
  return {
    authorized: socket.authorized,
    authorizationError: socket.authorizationError,
    protocol: socket.getProtocol(),
    alpn: socket.alpnProtocol
  };
}

/** The text of OpenSSL differs from one version of Node to the next, and names lines in its source. */
const isOfOpenSsl = (err) => err.code === 'EPROTO' || /^ERR_(SSL|OSSL)_/.test(err.code);

/** Advice of newer versions of Node behind the message. */
const ADVICE = /; if the root CA is installed locally.*/;

/** What an application can tell an error by. */
function failed(err) {
  const { code, reason, host, cert } = err;
  if (isOfOpenSsl(err)) return { code };
  const message = err.message.replace(ADVICE, '');
  return { code, message, reason, host, subject: cert?.subject.CN };
}

/** The name that OpenSSL 3.0 has for an alert, in place of that of newer ones. */
function usualCode(code) {
  return code?.replace('SSL/TLS_ALERT', 'SSLV3_ALERT');
}

/** The outcome of Node's own client. It has the request ready when it connects, as ws has. */
function ofNode(host, port, options) {
  let req;
  try {
    req = https.request({ host, port, agent: false, ...options, headers: HEADERS });
  } catch (err) {
    return { thrown: failed(err) };
  }
  const outcome = new Promise((resolve, reject) => {
    req.on('error', (err) => resolve(failed(err)));
    req.on('response', (res) => reject(new Error(`status ${res.statusCode}`)));
    req.on('upgrade', (res, socket) => resolve(opened(socket)));
  });
  req.end();
  return within(outcome, `Node's client`).finally(() => req.destroy());
}

/** The outcome of `new WebSocket()`. */
async function ofWebSocket(host, port, options) {
  let ws;
  try {
    ws = new WebSocket(`wss://${host}:${port}`, { perMessageDeflate: false, ...options });
  } catch (err) {
    return { thrown: failed(err) };
  }
  const isOpen = new Promise((resolve) => ws.on('open', () => resolve(opened(ws._socket))));
  // an 'open' leaves it waiting for an error that does not come before terminate()
  const isOver = failure(ws).then(failed);
  isOver.catch(() => {});
  try {
    return await Promise.race([isOpen, isOver]);
  } finally {
    ws.terminate();
  }
}

module.exports = { ofNode, ofWebSocket, usualCode };

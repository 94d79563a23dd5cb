'use strict';

const WebSocket = require('../../support/impl');
const { record } = require('../../support/helpers');
const { OP, buildFrame } = require('../../support/raw-peer');

const EVENTS = ['message', 'ping', 'pong', 'conclude', 'error', 'finish', 'close'];

/** A Receiver, and the log of its events as [name, ...args]. */
function receiverOf(options) {
  const receiver = new WebSocket.Receiver(options);
  return { receiver, log: record(receiver, EVENTS) };
}

/** A frame, masked if it is for a server. */
function frame(opcode, payload, options) {
  return buildFrame({ opcode, payload, ...options });
}

const text = (payload, options) => frame(OP.TEXT, payload, options);
const binary = (payload, options) => frame(OP.BINARY, payload, options);
const more = (payload, options) => frame(OP.CONT, payload, options);

/** Resolves with the error of the callback of `receiver.write(bytes)`, or with undefined. */
function write(receiver, bytes) {
  return new Promise((resolve) => {
    receiver.write(bytes, (err) => resolve(err ?? undefined));
  });
}

module.exports = { binary, frame, more, receiverOf, text, write };

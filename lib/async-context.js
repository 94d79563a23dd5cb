'use strict';

const { AsyncResource } = require('async_hooks');

const OPTIONS = { requireManualDestroy: true };

/**
 * The asynchronous context of the caller, as an AsyncResource of its own: a socket's events are
 * emitted in it, as with Node's sockets, and what a listener enters stays there.
 */
function capture() {
  return new AsyncResource('WEBSOCKET', OPTIONS);
}

/**
 * Makes `resource` see what `handle`, a socket's, sees. Node reuses HTTP parsers, and up to Node 22 what
 * a listener enters on one stays there: so the context of an 'upgrade' event may be another
 * connection's, and that of the handle is right. From Node 24 on there is nothing to mend.
 */
function inherit(resource, handle) {
  for (const symbol of Object.getOwnPropertySymbols(resource)) {
    if (symbol.description === 'kResourceStore') resource[symbol] = handle[symbol];
  }
}

/** A callback that is called in the context of the caller. */
function bind(callback) {
  const resource = new AsyncResource('WEBSOCKET_SEND', OPTIONS);
  return (err) => {
    if (err === undefined) resource.runInAsyncScope(callback);
    else resource.runInAsyncScope(callback, undefined, err);
  };
}

module.exports = { bind, capture, inherit };

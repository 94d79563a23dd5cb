'use strict';

const { AsyncResource } = require('async_hooks');

/**
 * The property of an AsyncResource that holds what AsyncLocalStorage has stored, by its
 * description: up to Node 22 there is one for each storage in use, from 24 on always one.
 */
const STORES = ['kResourceStore', 'context_frame'];

/** Whether a resource made when nothing is stored shows that there could be something. */
const isKnown = hasStore(new AsyncResource('hawser')) !== undefined;

/**
 * The asynchronous context of the caller, in which a socket's events are to be emitted as with
 * Node's sockets: an AsyncResource, or null if nothing would see the difference.
 */
function capture() {
  const resource = new AsyncResource('WEBSOCKET', { requireManualDestroy: true });
  return isKnown && !hasStore(resource) ? null : resource;
}

/** Whether AsyncLocalStorage has stored something in it; undefined: there is no telling. */
function hasStore(resource) {
  let known = parseInt(process.versions.node, 10) < 24 ? false : undefined;
  for (const symbol of Object.getOwnPropertySymbols(resource)) {
    if (!STORES.includes(symbol.description)) continue;
    if (resource[symbol] !== undefined) return true;
    known = false;
  }
  return known;
}

module.exports = { capture };

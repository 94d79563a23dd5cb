'use strict';

const native = require('./native');

/** As in src/driver/counters.rs: connections per block, and numbers per connection. */
const SEGMENT = 1024;
const NUMBERS = 4;

const segments = [];

/** Gives `ws` the memory in which the native side counts its bytes. */
function attach(ws, conn) {
  const index = conn & 0xffffff;
  const segment = Math.floor(index / SEGMENT);
  segments[segment] ??= new Float64Array(native.counters(segment));
  ws._counters = segments[segment];
  ws._counterIndex = (index % SEGMENT) * NUMBERS;
}

module.exports = { attach };

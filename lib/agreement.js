'use strict';

/** Most headers that are remembered for the same options; there are few, but peers choose them. */
const MOST = 256;

/** By the option, which may be a boolean; then by the header. */
const known = new WeakMap();
const defaults = {};

/**
 * What both ends agreed on: the answer's Sec-WebSocket-Extensions, and the `perMessageDeflate` with
 * which it was. One object for all connections with the same; null without an agreement.
 *
 * @returns {{ header: string, options: boolean|object }|null}
 */
function agreement(header, options) {
  if (!header) return null;
  const key = typeof options === 'object' ? options : defaults;
  let agreements = known.get(key);
  if (agreements === undefined) known.set(key, (agreements = new Map()));
  let own = agreements.get(header);
  if (own === undefined) {
    own = { header, options };
    if (agreements.size < MOST) agreements.set(header, own);
  }
  return own;
}

module.exports = agreement;

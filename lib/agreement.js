'use strict';

/** Most texts that are remembered; there are few, but it is peers that choose among them. */
const MOST = 256;

const known = new Map();

/**
 * The text of an agreement on extensions, one string for all connections with the same; null
 * without one.
 */
function agreement(header) {
  if (!header) return null;
  const own = known.get(header);
  if (own !== undefined) return own;
  if (known.size < MOST) known.set(header, header);
  return header;
}

module.exports = agreement;

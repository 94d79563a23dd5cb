'use strict';

const assert = require('node:assert');

const isRequired = process.env.CI === 'true' || process.env.HAWSER_REQUIRE_PEERS === '1';

/**
 * Skips the test `t` if its peer is not on this machine; where peers are required (`CI=true` or
 * `HAWSER_REQUIRE_PEERS=1`) the test fails instead. Returns whether the peer is there.
 */
function needPeer(t, peer, hint) {
  if (peer) return true;
  assert(!isRequired, hint);
  t.skip(hint);
  return false;
}

module.exports = { needPeer };

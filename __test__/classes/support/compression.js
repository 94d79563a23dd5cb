'use strict';

const WebSocket = require('../../support/impl');
const { test } = require('../../support/helpers');

/** Why there is nothing to test, if the implementation says so itself. */
function reasonToSkip() {
  try {
    new WebSocket.PerMessageDeflate();
    return false;
  } catch (err) {
    if (err.code !== 'ERR_HAWSER_NOT_SUPPORTED') throw err;
    return 'no compression yet';
  }
}

const withoutCompression = reasonToSkip();

/** A test of compression. */
function compressionTest(title, fn) {
  return test(title, { skip: withoutCompression }, fn);
}

module.exports = { compressionTest, withoutCompression };

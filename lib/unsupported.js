'use strict';

/** An error for what hawser does not have yet; the README lists it. */
function notSupported(what) {
  const error = new Error(`${what} is not supported yet by hawser (see README.md)`);
  error.code = 'ERR_HAWSER_NOT_SUPPORTED';
  return error;
}

function thrower(what) {
  return function () {
    throw notSupported(what);
  };
}

/** Compression is an offer: without it connections work, uncompressed. Said once. */
function warnOfDeflate() {
  if (hasWarned) return;
  hasWarned = true;
  process.emitWarning(
    'perMessageDeflate is not supported yet by hawser: connections are not compressed (see README.md)',
    { code: 'ERR_HAWSER_NOT_SUPPORTED' }
  );
}

let hasWarned = false;

module.exports = {
  warnOfDeflate,
  notSupported,
  PerMessageDeflate: thrower('PerMessageDeflate')
};

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

module.exports = {
  notSupported,
  PerMessageDeflate: thrower('PerMessageDeflate')
};

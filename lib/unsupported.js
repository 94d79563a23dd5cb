'use strict';

/** An error for what hawser does not have; the README lists it. */
function notSupported(what) {
  const error = new Error(`${what} is not supported by hawser (see README.md)`);
  error.code = 'ERR_HAWSER_NOT_SUPPORTED';
  return error;
}

module.exports = { notSupported };

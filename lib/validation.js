'use strict';

const { Buffer } = require('buffer');

const { EMPTY_BUFFER, FastBuffer } = require('./constants');

/** RFC 6455 section 7.4, as far as an endpoint may send them. */
function isValidStatusCode(code) {
  return (
    (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
    (code >= 3000 && code <= 4999)
  );
}

function isBlob(value) {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof value.arrayBuffer === 'function' &&
    typeof value.type === 'string' &&
    typeof value.stream === 'function' &&
    (value[Symbol.toStringTag] === 'Blob' || value[Symbol.toStringTag] === 'File')
  );
}

/**
 * The bytes of anything that `Buffer.from` takes, without a copy where there is memory already.
 *
 * @throws {TypeError} as `Buffer.from` does
 */
function toBuffer(data) {
  if (Buffer.isBuffer(data)) return data;
  if (data instanceof ArrayBuffer) return new FastBuffer(data);
  if (ArrayBuffer.isView(data)) {
    return new FastBuffer(data.buffer, data.byteOffset, data.byteLength);
  }
  return Buffer.from(data);
}

/**
 * The arguments of close(), checked: a code, 0 for none, and the bytes of a reason.
 *
 * @throws {TypeError|RangeError}
 */
function closePayload(code, reason) {
  if (code === undefined) return { code: 0, reason: EMPTY_BUFFER };
  if (typeof code !== 'number' || !isValidStatusCode(code)) {
    throw new TypeError('First argument must be a valid error code number');
  }
  if (reason === undefined || !reason.length) return { code, reason: EMPTY_BUFFER };
  if (typeof reason !== 'string' && !(reason instanceof Uint8Array)) {
    throw new TypeError('Second argument must be a string or a Uint8Array');
  }
  const bytes = typeof reason === 'string' ? Buffer.from(reason) : toBuffer(reason);
  if (bytes.length > 123) throw new RangeError('The message must not be greater than 123 bytes');
  return { code, reason: bytes };
}

/** The characters of an RFC 9110 token, by char code. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function isToken(text) {
  return TOKEN.test(text);
}

module.exports = { closePayload, isBlob, isToken, isValidStatusCode, toBuffer };
